"""What can be refused before torch is imported, which takes seconds: files, columns, models, devices, run folders.

Everything here is looked at once more where it is used; what passes here has only not failed yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopcell.cli.values import demand_sizes
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.training.run_folder import RunFolder


def demand_rows(*specs: FileExamples | None) -> None:
    """Open files of which the columns are not known yet; errors as `loopcell.data.read`."""
    from loopcell.tasks.core.from_files.examples import open_records

    for spec in specs:
        if spec is not None:
            open_records(spec)


def demand_texts(files: Sequence[Path]) -> None:
    """Look for the files of a language model; errors as `loopcell.data.read_text`."""
    from loopcell.data import Source

    for path in files:
        Source(path).size()


def demand_settings(settings: Any) -> None:
    """Look at what a settings class leaves to others: the cell's sizes, and the kind of tokens."""
    if hasattr(settings, "cell"):
        demand_sizes(settings.cell, settings)
    demand_tokens(getattr(settings, "tokens", None), getattr(settings, "target_tokens", None))


def demand_tokens(*kinds: str | None) -> None:
    """Refuse a kind of tokens that there is not; UsageError names those that there are."""
    from loopcell.data import vocabulary_class

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


def demand_model(path: Path, task: str | None = None) -> str:
    """The task of a model file; errors as those of the model's `load`.

    Args:
        path: the file.
        task: the one that will do; None for every task that there is.
    """
    from loopcell.tasks.core.model_kind import demand_task, read_task
    from loopcell.tasks.core.models import demand_known

    found = read_task(path)
    if task is not None:
        demand_task(path, task, found)
    demand_known(found)
    return found
