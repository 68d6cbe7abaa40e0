"""Files that are read as one table: all of them have the columns of the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loopcell.data.readers.plain import read_json_lines
from loopcell.data.readers.reading import Reader
from loopcell.data.readers.records import listed
from loopcell.errors import DataError


def demand_same_columns(path: Path, reader: Reader, columns: Sequence[str], first: Sequence[str]) -> None:
    """Refuse a file that has other columns than the first one, in whatever order; DataError names it.

    Objects of JSON lines may each have names of their own, and are looked at where a name is asked for.
    """
    if reader is read_json_lines or set(columns) == set(first):
        return
    lacks = [name for name in first if name not in set(columns)]
    more = [name for name in columns if name not in set(first)]
    said = [f"it lacks {listed(lacks)}"] * bool(lacks) + [f"it has {listed(more)} besides"] * bool(more)
    raise DataError(f"{path} has other columns than the files before it: {' and '.join(said)}")
