"""Folders that are named `name=value`, as Hive, Spark and Dask write the parts of a table: their names are columns."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from loopcell.data.readers.records import listed
from loopcell.errors import DataError

EMPTY = "__HIVE_DEFAULT_PARTITION__"
_PART = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_DIGITS = re.compile(r"(\d+)")


def partition_of(path: Path, folder: Path) -> dict[str, str | None] | None:
    """Return the columns that a file's place in a folder gives; None where its folders are none of such names."""
    parts = path.relative_to(folder).parts[:-1]
    found = [_PART.fullmatch(part) for part in parts]
    if not parts or None in found:
        return None
    return {unquote(one[1]): None if one[2] == EMPTY else unquote(one[2]) for one in found if one is not None}


def partition_names(files: list[Path], folder: Path) -> tuple[str, ...]:
    """Return the columns that the places of files give, () where they give none.

    Raises:
        DataError: some give others than the first one; the sentence names the file.
    """
    first = partition_of(files[0], folder)
    if first is None:
        return ()
    for path in files:
        other = partition_of(path, folder)
        if other is None or tuple(other) != tuple(first):
            shown = listed(tuple(other)) if other else "none"
            raise DataError(
                f"the folders of {files[0]} give the columns {listed(tuple(first))}, and those of {path} {shown}"
            )
    return tuple(first)


def in_number_order(path: Path) -> list[tuple[int, int | str]]:
    """Return what paths are sorted by, so that `unit=2` comes before `unit=10`."""
    return [
        (1, int(part)) if part.isdigit() and len(part) < 19 else (0, part) for part in _DIGITS.split(str(path)) if part
    ]
