"""The units of a long table: the rows that belong together, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.from_tables.roles import Roles
from loopcell.data.readers.origins import Origin, Origins
from loopcell.data.readers.records import Column, Record, Records
from loopcell.data.series.several_columns import read_time_columns
from loopcell.errors import DataError, quoted

Key = tuple[Any, ...]
LABEL, STATIC = "label for its one sequence", "value of what is static"


@dataclass(frozen=True)
class Unit:
    """The rows of one unit.

    Attributes:
        key: its value in each of the columns that tell units apart; () where there are none.
        origins: where its rows came from.
        cells: its columns, by name.
        times: of its rows, [T], never falling; None where no column has them.
    """

    key: Key
    origins: Origins
    cells: dict[str, list[Any]]
    times: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.origins)

    def column(self, name: str) -> Column:
        """Return one of its columns, whose cells know their rows."""
        return Column(self.cells[name], self.origins, name)

    def reordered(self, order: npt.NDArray[np.intp]) -> Unit:
        """Return it with its rows in another order."""
        places = order.tolist()
        cells = {name: [values[place] for place in places] for name, values in self.cells.items()}
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
    rows = records.read(roles.read(records.columns))
    for unit in _in_time(_all(rows, roles), roles, found) if roles.time else _together(rows, roles):
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


def _together(rows: Iterator[Record], roles: Roles) -> Iterator[Unit]:
    """Yield each unit when its rows end: no more than one is in memory."""
    before: dict[Key, Origin] = {}
    unit: Unit | None = None
    for row in rows:
        key = _key(row, roles.by)
        if unit is None or key != unit.key:
            if unit is not None:
                before[unit.key] = unit.origins[-1]
                yield unit
            if key in before:
                raise _comes_again(key, before[key], row.origin)
            unit = _empty(key, row)
        _append(unit, row)
    if unit is not None:
        yield unit


def _all(rows: Iterator[Record], roles: Roles) -> list[Unit]:
    found: dict[Key, Unit] = {}
    for row in rows:
        key = _key(row, roles.by)
        if key not in found:
            found[key] = _empty(key, row)
        _append(found[key], row)
    return list(found.values())


def _empty(key: Key, row: Record) -> Unit:
    return Unit(key, Origins(), {name: [] for name in row.values})


def _append(unit: Unit, row: Record) -> None:
    for name, values in unit.cells.items():
        values.append(row.get(name))
    unit.origins.append(row.origin)


def _key(row: Record, by: Sequence[str]) -> Key:
    key = tuple(row.get(name) for name in by)
    for name, value in zip(by, key, strict=True):
        if label_of(value) is None:
            raise DataError(f"{row.origin}: column {name!r} has nothing in it, so that the row is of no unit")
    return key


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
