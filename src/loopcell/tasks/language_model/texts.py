"""The texts that a user gives, as segments of files: what follows reads files block by block, whatever their size."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from loopcell.data.text import Source
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError, InputError
from loopcell.tasks.core.estimator import as_part

MOST_NAME = 255  # letters of a file's name; no longer text is taken for one


def as_sources(X: object, name: str, folder: Path) -> list[Source]:
    """Return each of a user's texts as a segment of a file, which is one document.

    Args:
        X: a text, the path of one, or a list of these.
        name: what the user calls it.
        folder: where texts that are in memory are written, all of them into one file.

    Raises:
        InputError: it is something else, or the name of a file in place of its path.
        DataError: a text is empty, or cannot be written as UTF-8.
    """
    texts = listed(X, name)
    with (folder / f"{name}.txt").open("wb") as file:
        file.write(b"\n")  # at byte 0 of a file a byte order mark is skipped, which in a text is a character
        return [_source(text, called, file) for called, text in texts.items()]


def listed(X: Any, name: str) -> dict[str, Any]:
    """Return a text, or the entries of a list of texts, by what the user calls them; InputError for anything else."""
    if isinstance(X, str | PathLike):
        return {name: X}
    if isinstance(X, bytes | bytearray):
        raise InputError(
            f"{name} is bytes, and a language model reads text: give {name}.decode(), "
            "or the pathlib.Path of a file, with tokens='byte'"
        )
    if not hasattr(X, "__len__") or isinstance(X, dict):
        kind = "nothing" if X is None else f"a {type(X).__name__}"
        raise InputError(f"{name} has to be a text, a pathlib.Path or a list of these, not {kind}")
    part = as_part(X, name)
    return {f"{name}[{index}]": part[index] for index in range(len(part))}


def _source(text: Any, called: str, file: BinaryIO) -> Source:
    """Return where a text is, which is written to the file if it is in memory."""
    if isinstance(text, PathLike):
        return Source(Path(text))
    if not isinstance(text, str):
        raise InputError(f"{called} is a {type(text).__name__}, and a text is a string or a pathlib.Path")
    if not text:
        raise DataError(f"{called} is empty: there is no text in it")
    _demand_no_name(text, called)
    demand_text(text, called)
    start = file.tell()
    return Source(Path(file.name), start, start + file.write(text.encode()))


def _demand_no_name(text: str, called: str) -> None:
    """Refuse the name of a file, from which nobody wants to learn."""
    if len(text) <= MOST_NAME and "\n" not in text and "\0" not in text and Path(text).is_file():
        raise InputError(f"{called} is the name of a file: to learn from what is in it, give pathlib.Path({text!r})")
