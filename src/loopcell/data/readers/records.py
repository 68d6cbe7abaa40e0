"""Rows with their origin: what every reader gives, and columns of them in memory."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.skipped import Skipped
from loopcell.data.readers.units import Units
from loopcell.errors import DataError, escaped, quoted

LONGEST_NAME = 100  # characters of a column's name that an error shows, or looks for a near one of


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


class Record(NamedTuple):
    """One row: its values by column, and where it came from."""

    values: Mapping[str, Any]
    origin: Origin

    def get(self, name: str) -> Any:
        """Return the value of a column.

        Raises:
            DataError: the row has no such column.
        """
        try:
            return self.values[name]
        except KeyError:
            raise DataError(f"{self.origin}: {missing_column(name, tuple(self.values))}") from None


class Records(ABC):
    """Rows that are read anew, one after the other, each time they are iterated; memory does not grow with them.

    Attributes:
        skipped: what the last pass (or the one under way) left out, and why.
    """

    def __init__(self) -> None:
        self.skipped = Skipped()

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; of JSON lines, those of the first one. Reads no further than it must."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about how the data is read, for the user to see, and which argument says otherwise."""
        return ()

    @property
    def placed(self) -> tuple[str, ...]:
        """The columns that do not stand in files: their places in a folder give them."""
        return ()

    @property
    def of_whole_texts(self) -> bool:
        """True if the rows are texts of whole files, as in class folders."""
        return False

    @property
    def hint(self) -> str:
        """A likely reason why a column is not there, as the end of a sentence about it; "" for none."""
        return ""

    def expect(self, names: Sequence[str]) -> None:
        """Tell which columns will be asked for: a table of text with one of them in its first line has a header."""
        return  # of what knows its columns by itself

    @abstractmethod
    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order; with `columns`, rows that may have these alone.

        Raises:
            DataError: a file cannot be read as asked; the message names the file and the row.
        """

    def __iter__(self) -> Iterator[Record]:
        """Return all rows in order; errors as `read`."""
        return self.read()

    def load(self, *names: str) -> tuple[Column, ...]:
        """Read some columns into memory, in one pass.

        Returns:
            One `Column` for each name, in this order.

        Raises:
            DataError: there is no such column, or no rows at all, or as `read`.
        """
        self.check_columns(names)
        found: tuple[list[Any], ...] = tuple([] for _ in names)
        origins = Origins()
        for record in self.read(names):
            for values, name in zip(found, names, strict=True):
                values.append(record.get(name))
            origins.append(record.origin)
        if not len(origins):
            raise self.no_rows()
        return tuple(Column(values, origins, name) for values, name in zip(found, names, strict=True))

    def check_columns(self, names: Sequence[str]) -> None:
        """Refuse a name that no column has; DataError, with the names that there are."""
        self.expect(names)
        columns = self.columns
        there = set(columns)
        for name in names:
            if name not in there:
                raise DataError(f"{self}: {missing_column(name, columns)}{self.hint}")

    def no_rows(self) -> DataError:
        """Return the error of a pass that gave nothing."""
        return DataError(f"{self} has no rows" + (f" that can be used: {self.skipped}" if self.skipped else ""))

    def column(self, name: str) -> Column:
        """Read one column into memory; errors as `load`."""
        return self.load(name)[0]


class Origins(Sequence[Origin]):
    """Many origins in little memory: 20 bytes each."""

    def __init__(self, origins: Sequence[Origin] = ()) -> None:
        self._names: dict[str, int] = {}
        self._named: list[str] = []  # the same names by their numbers
        self._files, self._rows, self._lines = array("i"), array("q"), array("q")
        for origin in origins:
            self.append(origin)

    def append(self, origin: Origin) -> None:
        """Add one at the end."""
        number = self._names.setdefault(origin.file, len(self._names))
        if number == len(self._named):
            self._named.append(origin.file)
        self._files.append(number)
        self._rows.append(origin.row)
        self._lines.append(origin.line)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Origin: ...
    @overload
    def __getitem__(self, index: slice) -> Origins: ...
    def __getitem__(self, index: int | slice) -> Origin | Origins:
        if isinstance(index, slice):
            return Origins([self[at] for at in range(*index.indices(len(self)))])
        return Origin(self._named[self._files[index]], self._rows[index], self._lines[index])


class Column(Sequence[Any]):
    """One column of a data set in memory, which knows where each value came from.

    Indexing gives values; a slice and `take` give columns with their origins.

    Attributes:
        units: which unit each value is of, where they are sequences that were cut from units; else None.
        step_names: the names of the numbers of a step, where values are sequences from several columns; else ().
    """

    def __init__(
        self,
        values: Sequence[Any],
        origins: Sequence[Origin],
        name: str = "",
        units: Units | None = None,
        step_names: tuple[str, ...] = (),
    ) -> None:
        if len(values) != len(origins):
            raise DataError(f"a column has an origin for each value, got {len(values)} and {len(origins)}")
        self.values, self.origins, self.name, self.units = values, origins, name, units
        self.step_names = step_names

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Column: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            units = None if self.units is None else self.units.take(range(*index.indices(len(self))))
            return Column(self.values[index], self.origins[index], self.name, units, self.step_names)
        return self.values[index]

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Column:
        """Return the column of the values at `indices`, in their order."""
        places = [int(index) for index in indices]
        chosen = [self.origins[place] for place in places]
        units = None if self.units is None else self.units.take(places)
        return Column([self.values[place] for place in places], Origins(chosen), self.name, units, self.step_names)

    def __repr__(self) -> str:
        return f"<column {self.name!r} of {len(self)} values>"


def where(examples: Any, index: int) -> str:
    """Name an example for an error: its file and row where `examples` knows them, else `X[16]`."""
    origins = getattr(examples, "origins", None)
    return f"X[{index}]" if origins is None else str(origins[index])


def missing_column(name: str, columns: Sequence[str]) -> str:
    """Return the sentence about a column that is not there."""
    near = _nearest(name, columns)
    there = f"there is only {listed(columns)}" if len(columns) == 1 else f"there are {listed(columns)}"
    return f"there is no column {quoted(name, LONGEST_NAME)}: " + (f"did you mean {near}? " if near else "") + there


def listed(columns: Sequence[str]) -> str:
    """Return the names of columns, as many as a sentence can hold."""
    more = f" and {len(columns) - 20:,} more" if len(columns) > 20 else ""
    return ", ".join(escaped(name, LONGEST_NAME) for name in columns[:20]) + more


def _nearest(name: str, columns: Sequence[str]) -> str:
    """Return the name that was meant, perhaps; "" for a long one, because names are compared letter by letter."""
    if len(name) > LONGEST_NAME:
        return ""
    near = difflib.get_close_matches(name, [one for one in columns if len(one) <= LONGEST_NAME], n=1)
    return escaped(near[0]) if near else ""


def twice_in(names: Iterable[str]) -> str | None:
    """Return the first name that is there a second time, if there is one."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def file_origin(path: Path, row: int = 0, line: int = 0) -> Origin:
    """Return the origin of a row of a file."""
    return Origin(str(path), row, line)
