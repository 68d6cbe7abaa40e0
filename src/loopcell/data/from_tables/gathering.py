"""All sequences of a long table: its rows once, and of each sequence which of them it is and what is known of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.ragged import Ragged
from loopcell.data.from_tables.sequences import Cut, LongTable
from loopcell.data.from_tables.table_sequences import TableSequences, statics
from loopcell.data.readers.growing import GrowingCells, GrowingColumn
from loopcell.data.readers.origins import Origins
from loopcell.data.readers.records import Column
from loopcell.data.readers.unchanged import unchanged
from loopcell.data.readers.units import Units
from loopcell.data.stored import most_in_memory, stored_note
from loopcell.errors import DataError

Ints = npt.NDArray[np.int64]


def cut_units(table: LongTable) -> TableSequences:
    """Return all sequences of a long table, whose rows are in memory or, where they are more than that, in a file.

    Raises:
        DataError: there are none, or a row cannot be used; or a file changes while it is read.
        FileWriteError: the file's disk is full, ...
    """
    with unchanged(table.records), ExitStack() as files:
        known = _Known(files)
        units = _units(table, known)
        first = next(units, None)
        if first is None:
            raise table.records.no_rows()
        # Tokens, and steps with words in some columns, are no numbers that lie side by side.
        of_numbers = isinstance(first, np.ndarray) and first.dtype.kind == "f"
        steps = Ragged.of(chain([first], units)) if of_numbers else [first, *units]
        if not len(known):
            raise DataError("no window has a label in its last row")
        return known.sequences(steps, table)


class PartsOfUnits(Sequence[Any]):
    """The sequences that were cut from units, made when they are asked for.

    Attributes:
        whole: the steps of each unit: arrays [T, I] of numbers or objects, or lists of tokens.
        numbers: the unit of each sequence, [N].
        spans: its first step in the unit and the one after its last, [N, 2].
    """

    def __init__(self, whole: Ragged | Sequence[Any], numbers: Ints, spans: Ints) -> None:
        self.whole, self.numbers, self.spans = whole, numbers, spans

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> PartsOfUnits: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return PartsOfUnits(self.whole, self.numbers[index], self.spans[index])
        number, (start, stop) = int(self.numbers[index]), self.spans[index].tolist()
        if not isinstance(self.whole, Ragged):
            return self.whole[number][start:stop]
        before = int(self.whole.offsets[number])
        return self.whole.values[before + start : before + stop]


def _units(table: LongTable, known: _Known) -> Iterator[Any]:
    """Yield the steps of each unit, and keep what is known of its sequences."""
    for unit in table.units():
        for cut in unit.cuts:
            known.add(cut)
        yield unit.steps


class _Known:
    """The facts of sequences that come one by one: few bytes each, and targets in a file where they are many.

    Args:
        files: where that file is entered.
    """

    def __init__(self, files: ExitStack) -> None:
        self._most = most_in_memory()
        self._numbers, self._spans, self._last_rows = array("q"), array("q"), array("q")
        self._first, self._last = Origins(), Origins()
        self._targets = GrowingColumn(files)
        self._ids: dict[str, GrowingCells] = {}
        self._static: list[tuple[Any, ...]] = []
        self._times: list[npt.NDArray[Any]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, cut: Cut) -> None:
        """Keep what is known of one."""
        self._numbers.append(cut.unit)
        self._spans.extend(cut.span)
        self._last_rows.append(cut.last.row)
        self._first.append(cut.first)
        self._last.append(cut.last)
        self._targets.extend([cut.target])
        if self._targets.nbytes > self._most:
            self._targets.store()
        for name, cell in cut.ids.items():
            # Of each step only predictions are told, which are not gathered: the last cell is enough here.
            self._ids.setdefault(name, GrowingCells()).append(cell[-1] if isinstance(cell, list) else cell)
        if cut.static:
            self._static.append(cut.static)
        if cut.times is not None:
            self._times.append(cut.times)

    def sequences(self, steps: Ragged | Sequence[Any], table: LongTable) -> TableSequences:
        """Return all of them, given the steps of the units."""
        roles = table.roles
        spans = np.frombuffer(self._spans, np.int64).reshape(-1, 2)
        numbers, last_rows = (np.frombuffer(part, np.int64) for part in (self._numbers, self._last_rows))
        units = Units(numbers, spans, {name: cells.taken() for name, cells in self._ids.items()}, last_rows)
        X = Column(PartsOfUnits(steps, numbers, spans), self._first, units=units, step_names=roles.step)
        known, y = bool(roles.target or roles.labels) or table.given is not None, None
        if known:
            origins = self._first if roles.each_step else self._last
            y = Column(self._targets.finish(), origins, roles.target or "", units, roles.labels)
        static = statics(self._static) if self._static else None
        stored = isinstance(steps, Ragged) and steps.stored
        notes = [stored_note("what was read", steps.values.nbytes)] if isinstance(steps, Ragged) and stored else []
        return TableSequences(X, y, static, self._times or None, units, (*table.notes, *notes))
