"""The files of a job that is trained many times: opened as `loopcell train` does, and read once for all runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import typer

from loopcell.cli import early
from loopcell.cli.flags import Settings
from loopcell.cli.reporting import INTERRUPTED, say, say_note
from loopcell.cli.train_verbs import Verb
from loopcell.errors import UsageError
from loopcell.files.writable import demand_folder
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import model_class, open_files


class JobOnFiles(NamedTuple):
    """An estimator and its examples.

    Attributes:
        estimator: with the arguments that were typed, not fitted.
        examples: what its `fit` takes by position.
        validation: what its `fit` takes as `validation`; None where no files are held out.
        data: where the data come from, in words.
    """

    estimator: Any
    examples: tuple[Any, ...]
    validation: Any
    data: str


def checked_settings(verb: Verb, settings: Settings) -> Any:
    """Return the settings that were typed for a verb's model, within their bounds; what needs no torch is checked."""
    checked = settings.build(verb.settings)
    early.demand_settings(replace(checked, sizes=None))
    return checked


def read_job(verb: Verb, settings: Settings, files: list[Path], val: list[Path] | None) -> JobOnFiles:
    """Open the files of a verb, and read them.

    Args:
        verb: the kind of model.
        settings: what was typed for it and for its files.
        files: to train on.
        val: that are held out.
    """
    checked = checked_settings(verb, settings)
    spec = settings.build(FileExamples, files=files, digits="tokens" in settings.given(verb.settings))
    early.demand_there(spec.vectors, "--vectors")
    held_out = settings.build(FileExamples, files=val) if val else None
    data, validation = open_files(verb.task, replace(checked, sizes=None), spec, held_out, say_note)
    estimator = model_class(verb.task)(**settings.given(verb.settings))
    return JobOnFiles(
        estimator,
        data.load_training(estimator),
        None if validation is None else validation.load_validation(),
        ", ".join(_described(path) for path in (*files, *(val or ()))),
    )


def _described(path: Path) -> str:
    return f"{path.name} ({path.stat().st_size:,} bytes)" if path.is_file() else path.name


def demand_output(output: Path) -> None:
    """Refuse a file that could not be written after hours of training: in no folder, or where a folder stands."""
    if not output.resolve().parent.is_dir():
        raise UsageError(f"--output {output}: its folder does not exist")
    if output.is_dir():
        raise UsageError(f"--output {output}: a folder has that name")
    demand_folder(output.resolve().parent)


@contextmanager
def going_on(folder: Path) -> Iterator[None]:
    """Say where the runs that ended are, when the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; to go on: the same command with --run {folder}")
        raise typer.Exit(INTERRUPTED) from None
