"""Refusals before torch is imported, which takes seconds: of files, columns, models, devices, run folders.

Everything here is looked at once more where it is used; what passes here has only not failed yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loopcell.cli.values import demand_sizes
from loopcell.errors import FileFormatError, UsageError
from loopcell.tasks.core.settings import TrainingSettings
from loopcell.training.run_folder import RunFolder


def demand_settings(settings: Any) -> None:
    """Look at what a settings class leaves to others: the cell's sizes, the kind of tokens, how a run is cut."""
    if isinstance(settings, TrainingSettings):
        settings.training_config(seed=0, examples=1)
    if hasattr(settings, "cell"):
        demand_sizes(settings.cell, settings)
    demand_tokens(getattr(settings, "tokens", None), getattr(settings, "target_tokens", None))


def demand_tokens(*kinds: str | None) -> None:
    """Refuse a kind of tokens that there is not; UsageError names those that there are."""
    from loopcell.data.text import vocabulary_class

    for kind in kinds:
        if kind is not None:
            vocabulary_class(kind)


def demand_free(run: Path | None) -> None:
    """Refuse the folder of another run; UsageError."""
    if run is not None:
        RunFolder.demand_free(run)


def demand_there(path: Path | None, what: str) -> None:
    """Refuse a file that is not there; UsageError names the flag."""
    if path is not None and not path.exists():
        raise UsageError(f"{what} {path}: there is no such file")


def _demand_no_effect(path: Path) -> None:
    """Refuse what is an audio effect's for what is of rows; UsageError says what runs it."""
    from loopcell.cli.effects import is_effect

    if path.is_file() and is_effect(path):
        raise UsageError(
            f"{path} is no model of rows; if it is an audio effect, loopcell stream {path} input.wav -o output.wav "
            "makes a sound of a sound, and loopcell export takes it elsewhere"
        )


def demand_model(path: Path, task: str | None = None) -> str:
    """Return the task of a model file; errors as those of the model's `load`.

    Args:
        path: the file.
        task: the one that will do; None for every task that there is.
    """
    from loopcell.tasks.core.model_kind import demand_task, read_task
    from loopcell.tasks.core.models import demand_known

    try:
        found = read_task(path)
    except FileFormatError:
        _demand_no_effect(path)
        raise
    if task is not None:
        demand_task(path, task, found)
    demand_known(found)
    return found
