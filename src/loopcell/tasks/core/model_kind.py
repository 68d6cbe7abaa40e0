"""Telling a model file from others, and finding its task. No torch: the command line asks before loading."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from loopcell.errors import FileFormatError, quoted
from loopcell.files.tensors import FileKind, read_facts
from loopcell.training.run_folder import RunFolder

MODEL = FileKind("loopcell", 2, "loopcell model")


def read_task(path: Path) -> str:
    """Return which task a model file is for.

    Raises:
        FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
    """
    return str(read_facts(path, MODEL).get("task"))


def model_path(path: str | PathLike[str]) -> Path:
    """Return the file of a model: of a folder, the model of the run that it is of."""
    found = Path(path)
    return RunFolder(found).model if found.is_dir() else found


def demand_task(path: Path, task: str, found: object) -> None:
    """Refuse the model of another task; FileFormatError names it."""
    if found != task:
        raise FileFormatError(f"{path} holds the model of another task: {quoted(found)}")
