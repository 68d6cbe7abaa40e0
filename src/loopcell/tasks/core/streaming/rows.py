"""Rows of a stream as the records that tables are read from, so that a row is read as a table of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from loopcell.data import Record, Records


class RowRecords(Records):
    """Some rows that are in memory.

    Args:
        rows: one or more, all with the columns of the first.
    """

    def __init__(self, rows: Sequence[Record]) -> None:
        super().__init__()
        self._rows = rows

    def __str__(self) -> str:
        return str(self._rows[0].origin)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the first row."""
        return tuple(self._rows[0].values)

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order."""
        return iter(self._rows)


def as_cell(value: Any) -> Any:
    """Return a cell as a JSON value that is read as the same: a text, a number, nothing."""
    if isinstance(value, np.generic) and value.dtype.kind not in "Mm":
        value = value.item()
    return value if value is None or isinstance(value, str | int | float) else str(value)
