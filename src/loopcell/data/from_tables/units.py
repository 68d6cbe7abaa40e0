"""The units of a long table: the rows that belong together, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.data.from_tables.roles import Roles
from loopcell.data.readers.number_columns import joined
from loopcell.data.readers.origins import Origin, Origins
from loopcell.data.readers.records import Column, Records
from loopcell.data.readers.row_block import RowBlock, plain_cells
from loopcell.data.series.several_columns import read_time_columns
from loopcell.errors import DataError, quoted

Key = tuple[Any, ...]
Cells: TypeAlias = Any
"""The cells of a column: a list, or an array of numbers."""
LABEL, STATIC = "label for its one sequence", "value of what is static"


@dataclass(frozen=True)
class Unit:
    """The rows of one unit.

    Attributes:
        key: its value in each of the columns that tell units apart; () where there are none.
        origins: where its rows came from.
        cells: its columns, by name; those of numbers that are inputs and nothing else may be arrays.
        times: of its rows, [T], never falling; None where no column has them.
    """

    key: Key
    origins: Origins
    cells: dict[str, Cells]
    times: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.origins)

    def column(self, name: str) -> Column:
        """Return one of its columns, whose cells know their rows."""
        return Column(self.cells[name], self.origins, name)

    def reordered(self, order: npt.NDArray[np.intp]) -> Unit:
        """Return it with its rows in another order."""
        places = order.tolist()
        cells = {name: _at(values, order) for name, values in self.cells.items()}
        return Unit(self.key, Origins([self.origins[place] for place in places]), cells)

    def one_value(self, name: str, what: str) -> Any:
        """Return the value that a column has in all rows, of which some may have none; None where none has one.

        Raises:
            DataError: it changes; the sentence calls it `what`, and names both rows.
        """
        known = [(place, cell) for place, cell in enumerate(self.cells[name]) if label_of(cell) is not None]
        for place, cell in known:
            if cell != known[0][1]:
                raise self._changes(name, what, known[0], (place, cell))
        return known[0][1] if known else None

    def _changes(self, name: str, what: str, first: tuple[int, Any], other: tuple[int, Any]) -> DataError:
        cells = " and ".join(f"{quoted(cell, 40)} at {self.origins[place]}" for place, cell in (first, other))
        cure = "with window (--window ROWS) sequences are windows, each with the label of its last row"
        cure = f"; {cure}" if what == LABEL else ""
        return DataError(f"{self.title} has one {what}, and column {name!r} has {cells}{cure}")

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return named(self.key)


@dataclass
class Found:
    """Units of which the user should know something, after a pass over a long table."""

    units: int = 0
    sorted: list[str] = field(default_factory=list)
    uneven: list[str] = field(default_factory=list)
    simultaneous: list[str] = field(default_factory=list)

    def notes(self) -> Iterator[str]:
        """Yield a sentence on each."""
        if self.sorted:
            yield (f"the rows of {_units(self.sorted, self.units)} were not in the order of time, and were put into it")
        if self.simultaneous:
            yield (
                f"{_units(self.simultaneous, self.units)} have rows of the same time, which stay in the order of the "
                "table; are these several units of one name?"
            )

    @property
    def uneven_note(self) -> str:
        """A sentence on rows that are not evenly spaced in time; "" where all are."""
        units = _units(self.uneven, self.units) if self.uneven else ""
        return units and f"the rows of {units} are not evenly spaced in time"


def units_of(records: Records, roles: Roles, found: Found) -> Iterator[Unit]:
    """Yield the units of a long table, in the order in which they first come.

    Args:
        records: its rows.
        roles: of its columns.
        found: is told what there is to know of them.

    Raises:
        DataError: a row does not say which unit it is of; or, where rows are in the order of the table, those of a unit
            do not stand together; or a time cannot be read. The sentence names the row.
    """
    blocks = (_in_roles(block, roles) for block in records.blocks(roles.read(records.columns)))
    for unit in _in_time(_all(blocks, roles), roles, found) if roles.time else _together(blocks, roles):
        found.units += 1
        yield unit


def label_of(cell: Any) -> Any:
    """Return a cell; None for one with nothing in it, which NaN is too."""
    if isinstance(cell, str):
        return cell if cell.strip() else None
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def named(key: Key) -> str:
    """Return the name of a unit in a sentence."""
    return "the table" if not key else "unit " + ", ".join(quoted(value, 40) for value in key)


def _in_roles(block: RowBlock, roles: Roles) -> RowBlock:
    """Return a block in which only inputs are arrays: all else is told to users, and compared."""
    told = {*roles.by, *roles.time, *roles.static, *roles.carried, roles.target, *roles.labels}
    cells = {name: plain_cells(cells) if name in told else cells for name, cells in block.cells.items()}
    return RowBlock(cells, block.origins)


def _together(blocks: Iterator[RowBlock], roles: Roles) -> Iterator[Unit]:
    """Yield each unit when its rows end: no more than one is in memory, and a block."""
    before: dict[Key, Origin] = {}
    unit: _GrowingUnit | None = None
    for block in blocks:
        for key, rows in _runs(_keys(block, roles.by)):
            if unit is None or key != unit.key:
                if unit is not None:
                    before[unit.key] = unit.origins[-1]
                    yield unit.whole()
                if key in before:
                    raise _comes_again(key, before[key], block.origins[rows.start])
                unit = _GrowingUnit(key)
            unit.extend(block, rows)
    if unit is not None:
        yield unit.whole()


def _all(blocks: Iterator[RowBlock], roles: Roles) -> list[Unit]:
    """Return all units, in the order in which they first come."""
    table = _GrowingUnit(())
    keys: list[Key] = []
    for block in blocks:
        keys += _keys(block, roles.by)
        table.extend(block, slice(0, len(block)))
    numbers: dict[Key, int] = {}
    codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    order, whole = np.argsort(codes, kind="stable"), table.whole()
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(numbers)))[:-1]) if numbers else []
    return [replace(whole.reordered(rows), key=key) for key, rows in zip(numbers, parts, strict=True)]


class _GrowingUnit:
    """The rows of a unit as they come, in pieces of blocks."""

    def __init__(self, key: Key) -> None:
        self.key, self.origins = key, Origins()
        self._pieces: dict[str, list[Cells]] = {}

    def extend(self, block: RowBlock, rows: slice) -> None:
        for name, cells in block.cells.items():
            self._pieces.setdefault(name, []).append(cells[rows])
        self.origins.extend(block.origins[rows])

    def whole(self) -> Unit:
        return Unit(self.key, self.origins, {name: joined(pieces) for name, pieces in self._pieces.items()})


def _at(cells: Cells, order: npt.NDArray[np.intp]) -> Cells:
    if isinstance(cells, np.ndarray):
        found: Cells = cells[order]
        return found
    return [cells[place] for place in order.tolist()]


def _runs(keys: Iterable[Key]) -> Iterator[tuple[Key, slice]]:
    """Yield the rows with one key that follow each other."""
    start = 0
    for key, rows in groupby(keys):
        stop = start + sum(1 for _ in rows)
        yield key, slice(start, stop)
        start = stop


def _keys(block: RowBlock, by: Sequence[str]) -> Iterator[Key]:
    """Yield the unit of each row; DataError where a row is of none."""
    if not by:
        yield from [()] * len(block)
        return
    for row, key in enumerate(zip(*(block.cells[name] for name in by), strict=True)):
        for name, cell in zip(by, key, strict=True):
            if label_of(cell) is None:
                raise DataError(
                    f"{block.origins[row]}: column {name!r} has nothing in it, so that the row is of no unit"
                )
        yield key


def _comes_again(key: Key, before: Origin, again: Origin) -> DataError:
    return DataError(
        f"{again}: {named(key)} comes again, after other units and its rows up to {before}; say with time (--time "
        "COLUMN) in which order its rows belong together, or give each part a name of its own"
    )


def _in_time(units: Sequence[Unit], roles: Roles, found: Found) -> Iterator[Unit]:
    """Yield units with their rows in the order of time. All times are read at once: some tell how others are meant."""
    if not units:
        return
    origins = Origins([origin for unit in units for origin in unit.origins])
    columns = [Column([cell for unit in units for cell in unit.cells[name]], origins, name) for name in roles.time]
    times = read_time_columns(columns, roles.time, time_format=roles.time_format).times
    for unit, own in zip(units, np.split(times, np.cumsum([len(unit) for unit in units])[:-1]), strict=True):
        yield _ordered(unit, own, found)


def _ordered(unit: Unit, times: npt.NDArray[Any], found: Found) -> Unit:
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    if (steps == np.zeros(1, steps.dtype)).any():
        found.simultaneous.append(unit.title)
    if len(np.unique(steps)) > 1:
        found.uneven.append(unit.title)
    if (order == np.arange(len(order))).all():
        return replace(unit, times=times)
    found.sorted.append(unit.title)
    return replace(unit.reordered(order), times=times[order])


def _units(names: Sequence[str], count: int) -> str:
    if count == 1:
        return names[0]
    more = f" and {len(names) - 1:,} more of {count:,} units" if len(names) > 1 else f" (of {count:,})"
    return names[0] + more
