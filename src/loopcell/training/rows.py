"""A table of a run as CSV, written row by row: whole after a kill, and cut back where a run is resumed."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from loopcell.errors import FileWriteError
from loopcell.files import atomic_write


class RowFile:
    """A CSV file whose first column is the update.

    Args:
        path: the file.
        columns: its header. A file of an earlier version may lack the last of them: its rows get empty cells.
        cells: a pattern of what a cell after the first may hold; a row of anything else is damaged.
        resumed_at: the update of the checkpoint that the run goes on from; later rows are dropped, for they will be
            written again. None starts a new file. A row that is damaged is left out, with a warning.
    """

    def __init__(self, path: Path, columns: Sequence[str], cells: str, resumed_at: int | None) -> None:
        self._path, self._columns, self._cells = path, columns, cells
        rows = [] if resumed_at is None else self._rows_until(resumed_at)
        with atomic_write(path) as temporary:
            temporary.write_text("".join([as_line(columns), *rows]), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8", newline="")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def write(self, rows: Sequence[Sequence[object]]) -> None:
        """Add rows, None for a cell that is empty; FileWriteError when the disk is full."""
        try:
            self._file.write("".join(as_line(["" if value is None else value for value in row]) for row in rows))
            self._file.flush()
        except OSError as error:
            raise FileWriteError(f"cannot write the metrics: {error.strerror}") from error

    def _rows_until(self, update: int) -> list[str]:
        """Return the whole rows up to an update; a row that a kill cut short is among those that are dropped."""
        if not self._path.is_file():
            return []
        header, *lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")
        count, lacking = self._columns_of(header)
        row = re.compile(rf"(\d{{1,18}})(,{self._cells}){{{count - 1}}}", re.ASCII)
        found = [match for match in map(row.fullmatch, lines[:-1]) if match]
        if damaged := len(lines) - 1 - len(found):
            some = f"{damaged} damaged row{'s'[: damaged > 1]}"
            warnings.warn(f"{self._path} had {some}, left out of the curve", stacklevel=4)
        return [match[0] + "," * lacking + "\n" for match in found if int(match[1]) <= update]

    def _columns_of(self, header: str) -> tuple[int, int]:
        """Return how many columns the rows of a file have, and how many of today's they lack."""
        columns = header.split(",")
        earlier = columns == list(self._columns[: len(columns)])
        count = len(columns) if earlier else len(self._columns)
        return count, len(self._columns) - count


def as_line(values: Sequence[object]) -> str:
    """Return a row as a line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
