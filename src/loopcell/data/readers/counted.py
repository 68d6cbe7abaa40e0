"""The lines of a table, counted by the row: a row's cells take far more memory than its text does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from loopcell.data.limits import LONGEST_LINE, MOST_COLUMNS, Limit
from loopcell.errors import DataError

RowT = TypeVar("RowT")


class Counted(Iterator[str]):
    """The lines of a table; DataError where one row's cells would take far more memory than the file does."""

    def __init__(self, path: Path, text: Iterator[str], delimiter: str, start: int = 1) -> None:
        self._path, self._text = path, text
        self._delimiter = delimiter if len(delimiter) == 1 else " "  # a word for any white space
        self._most, self._longest = MOST_COLUMNS.most(), LONGEST_LINE.most()
        self._number, self._size, self._cells = start - 1, 0, 0

    def by_row(self, rows: Iterator[RowT]) -> Iterator[RowT]:
        """Pass on the rows that are made of these lines; after each of them it is counted anew."""
        for row in rows:
            yield row
            self._size = self._cells = 0

    def __next__(self) -> str:
        line = next(self._text)
        self._number += 1
        self._size += len(line)
        if self._size > self._most:  # with fewer characters there are fewer cells, and mostly that is all to know
            self._cells += line.count(self._delimiter)
            if self._cells > self._most:
                raise self._refused(f"{self._most:,} cells", MOST_COLUMNS)
            if self._size > self._longest:
                raise self._refused(f"{self._longest:,} characters", LONGEST_LINE)
        return line

    def _refused(self, much: str, limit: Limit) -> DataError:
        return DataError(
            f"{self._path} line {self._number}: the row has more than {much}: this is no table; {limit.cure()}"
        )
