"""Places that rows came from; of very many of them in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, overload


class Origin(NamedTuple):
    """The place that a row came from.

    Attributes:
        file: the file's path, or a word for what is no file ("frame").
        row: its number among the file's rows, from 1; 0 for the file itself. A header is no row.
        line: the line of the file where it starts, from 1; 0 where the file has no lines.
    """

    file: str
    row: int = 0
    line: int = 0

    def __str__(self) -> str:
        """Write the place, such as `reviews.tsv row 17 (line 18)`."""
        if not self.row:
            return self.file
        line = f" (line {self.line})" if self.line and self.line != self.row else ""
        return f"{self.file} row {self.row}{line}"


class RowRun(Sequence[Origin]):
    """Rows of one file that follow each other, none of which has a line.

    Attributes:
        file: the file's path.
        first: the number of the first row, from 1.
    """

    def __init__(self, file: str, first: int, count: int) -> None:
        self.file, self.first, self._count = file, first, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Origin: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Origin]: ...
    def __getitem__(self, index: int | slice) -> Origin | Sequence[Origin]:
        found = range(self._count)[index]
        if isinstance(found, int):
            return Origin(self.file, self.first + found)
        if found.step == 1:
            return RowRun(self.file, self.first + found.start, len(found))
        return [Origin(self.file, self.first + at) for at in found]


class Origins(Sequence[Origin]):
    """Many origins in little memory: rows that follow each other at one distance are one run, of 48 bytes."""

    def __init__(self, origins: Sequence[Origin] = ()) -> None:
        self._names: dict[str, int] = {}
        self._named: list[str] = []  # the same names by their numbers
        self._starts = array("q")  # of each run: the place of its first origin here
        self._files, self._rows, self._lines = array("q"), array("q"), array("q")  # of that one
        self._row_steps, self._line_steps = array("q"), array("q")  # to the next one
        self._count = 0
        self.extend(origins)

    def append(self, origin: Origin) -> None:
        """Add one at the end."""
        file, row, line = origin
        if not self._goes_on(file, row, line):
            self._begin(file, row, line)
        self._count += 1

    def extend(self, origins: Sequence[Origin]) -> None:
        """Add several at the end; a `RowRun` all at once."""
        if not isinstance(origins, RowRun):
            for origin in origins:
                self.append(origin)
            return
        if not len(origins):
            return
        self.append(origins[0])
        if len(origins) > 1:
            if not self._goes_on(origins.file, origins.first + 1, 0):
                self._begin(origins.file, origins.first + 1, 0)
                self._row_steps[-1] = 1
            self._count += len(origins) - 1

    def _goes_on(self, file: str, row: int, line: int) -> bool:
        """Say whether an origin is the next one of the last run; the second of a run sets its distance."""
        if not self._starts or self._named[self._files[-1]] != file:
            return False
        there = self._count - self._starts[-1]
        if there == 1:
            self._row_steps[-1], self._line_steps[-1] = row - self._rows[-1], line - self._lines[-1]
            return True
        return (
            row == self._rows[-1] + there * self._row_steps[-1]
            and line == self._lines[-1] + there * self._line_steps[-1]
        )

    def _begin(self, file: str, row: int, line: int) -> None:
        number = self._names.setdefault(file, len(self._names))
        if number == len(self._named):
            self._named.append(file)
        for values, value in (
            (self._starts, self._count),
            (self._files, number),
            (self._rows, row),
            (self._lines, line),
            (self._row_steps, 0),
            (self._line_steps, 0),
        ):
            values.append(value)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Origin: ...
    @overload
    def __getitem__(self, index: slice) -> Origins: ...
    def __getitem__(self, index: int | slice) -> Origin | Origins:
        found = range(self._count)[index]
        if not isinstance(found, int):
            return Origins([self[at] for at in found])
        run = bisect_right(self._starts, found) - 1
        steps = found - self._starts[run]
        return Origin(
            self._named[self._files[run]],
            self._rows[run] + steps * self._row_steps[run],
            self._lines[run] + steps * self._line_steps[run],
        )
