"""Columns that grow while a file is read: in memory in a small form, and in a file where that is too much."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, overload

import numpy as np

from loopcell.data.examples.ragged import TEMPORARY, Ragged
from loopcell.data.examples.ragged_files import RaggedWriter, open_npy
from loopcell.data.readers.origins import Origin, Origins
from loopcell.data.readers.packed_cells import PackedCells, pack
from loopcell.data.stored import most_in_memory, temporary_file

MOST_DISTINCT = 1 << 12
NOTHING = np.zeros(0, np.uint8)
_CODED = (str, int, float, bool, type(None))


class CodedCells(Sequence[Any]):
    """Cells of which few are distinct, 4 bytes each.

    Attributes:
        distinct: the cells that there are, by their numbers.
    """

    def __init__(self, distinct: Sequence[Any], numbers: array[int]) -> None:
        self.distinct, self._numbers = distinct, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> CodedCells: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return CodedCells(self.distinct, self._numbers[index])
        return self.distinct[self._numbers[index]]


class GrowingCells:
    """Cells that come one after the other.

    Attributes:
        nbytes: about how much memory they take.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._known: dict[tuple[type, Any], int] = {}
        self._distinct: list[Any] = []
        self._numbers: array[int] | None = array("i")
        self._cells: list[Any] | array[float] = []

    def __len__(self) -> int:
        return len(self._cells) if self._numbers is None else len(self._numbers)

    def append(self, cell: Any) -> None:
        """Add one at the end."""
        if self._numbers is not None:
            number = self._number(cell)
            if number is not None:
                self._numbers.append(number)
                self.nbytes += 4
                return
            self._write_out(self._numbers)
        if isinstance(self._cells, array) and type(cell) is not float:
            self._cells = list(self._cells)
        self._cells.append(cell)
        self.nbytes += 8 if isinstance(self._cells, array) else 8 + size_of(cell)

    def taken(self) -> Sequence[Any]:
        """Return all cells; there is nothing left in here."""
        cells: Sequence[Any] = self._cells if self._numbers is None else CodedCells(self._distinct, self._numbers)
        self.__init__()  # type: ignore[misc]  # as it began
        return cells

    def _number(self, cell: Any) -> int | None:
        """Return the number of a cell among the distinct ones; None where it is not to be one of them."""
        kind = type(cell)
        if kind not in _CODED:
            return None
        key = (kind, cell.hex() if kind is float else cell)  # -0.0 is 0.0, and NaN is nothing, not even itself
        number = self._known.get(key)
        if number is None and len(self._known) < MOST_DISTINCT:
            number = self._known[key] = len(self._distinct)
            self._distinct.append(cell)
            self.nbytes += size_of(cell)
        return number

    def _write_out(self, numbers: array[int]) -> None:
        """Let the cells so far stand one by one: there are too many distinct ones."""
        cells = [self._distinct[number] for number in numbers]
        all_floats = bool(cells) and all(type(cell) is float for cell in self._distinct)
        self._cells = array("d", cells) if all_floats else cells
        self.nbytes = 8 * len(cells) + (0 if all_floats else sum(map(size_of, self._distinct)))
        self._known, self._distinct, self._numbers = {}, [], None


class GrowingColumn:
    """A column that grows: in memory, and once it is told so in a file.

    Args:
        files: where the file is entered, which is then read for as long as the column is there.
    """

    def __init__(self, files: ExitStack) -> None:
        self._files, self._held = files, GrowingCells()
        self._writer: RaggedWriter | None = None
        self._others: dict[int, Any] = {}
        self._count = 0

    @property
    def nbytes(self) -> int:
        """About how much memory its cells take."""
        return self._held.nbytes

    def extend(self, cells: Iterable[Any]) -> None:
        """Add some at the end."""
        add = self._held.append if self._writer is None else self._write
        for cell in cells:
            add(cell)

    def store(self) -> None:
        """Let all cells, and those that come, be in a file; FileWriteError where there is no room for one."""
        self._file = self._files.enter_context(temporary_file())
        self._writer = RaggedWriter(self._file)
        for cell in self._held.taken():
            self._write(cell)

    def finish(self) -> Sequence[Any]:
        """Return all of them."""
        if self._writer is None:
            return self._held.taken()
        offsets = self._writer.finish()
        return PackedCells(Ragged(open_npy(self._file, TEMPORARY), offsets), self._others)

    def _write(self, cell: Any) -> None:
        assert self._writer is not None
        packed = pack(cell)
        if packed is None:
            self._others[self._count] = cell
        self._writer.append(NOTHING if packed is None else packed)
        self._count += 1


class Gathered(NamedTuple):
    """Columns that were read to their end.

    Attributes:
        columns: the cells of each.
        origins: where their rows came from.
        stored: the bytes of those columns that are in files; 0 where all are in memory.
    """

    columns: list[Sequence[Any]]
    origins: Origins
    stored: int


def gather(blocks: Iterable[tuple[Sequence[Iterable[Any]], Sequence[Origin]]], count: int) -> Gathered:
    """Put the cells of some columns together: in memory, and the largest of them in files where that is too much.

    Args:
        blocks: the next cells of each column, and where their rows came from.
        count: how many columns there are.

    Raises:
        FileWriteError: the files' disk is full, ...
    """
    most, origins = most_in_memory(), Origins()
    with ExitStack() as files:
        growing = [GrowingColumn(files) for _ in range(count)]
        for cells, places in blocks:
            for column, more in zip(growing, cells, strict=True):
                column.extend(more)
            origins.extend(places)
            while sum(column.nbytes for column in growing) > most:
                max(growing, key=lambda column: column.nbytes).store()
        columns = [column.finish() for column in growing]
    return Gathered(columns, origins, sum(one.nbytes for one in columns if isinstance(one, PackedCells)))


def size_of(cell: Any) -> int:
    """Return about how many bytes a cell takes."""
    if isinstance(cell, np.ndarray):
        return cell.nbytes + 128
    size = sys.getsizeof(cell)
    return size + sum(map(size_of, cell)) if isinstance(cell, list | tuple) else size
