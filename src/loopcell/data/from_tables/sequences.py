"""Sequences from the rows of a long table: units, windows of them, and what is known of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing_values import NONE_NAMED, missing_note
from loopcell.data.from_tables.labels import Given, Targets
from loopcell.data.from_tables.roles import Roles
from loopcell.data.from_tables.unit_values import UnitValues
from loopcell.data.from_tables.units import STATIC, Found, Unit, label_of, units_of
from loopcell.data.from_tables.windows import windows
from loopcell.data.readers.cells import is_number
from loopcell.data.readers.origins import Origin, Origins
from loopcell.data.readers.records import Column, Records, listed
from loopcell.data.series.numbers import numbers_of
from loopcell.errors import UsageError

LOOKED_AT = 100  # rows that tell words from numbers

Doubles = npt.NDArray[np.float64]


class Cut(NamedTuple):
    """One sequence of a unit.

    Attributes:
        steps: an array [T, I], or a list of T tokens.
        target: what is known of it; None for nothing.
        static: what is known of its unit, a value for each static column.
        unit: the number of its unit, from 0.
        span: its first row in the unit, and the row after its last.
        first: where its first row came from.
        last: where its last row came from.
        ids: what it is told by: its unit, and of its time and of columns that are carried over the last cells, or those
            of all its rows where each has a label.
        times: of its steps, [T], numbers or datetime64; None where no column has them.
        origins: where the rows of its unit came from.
    """

    steps: Doubles | list[str]
    target: Any
    static: tuple[Any, ...]
    unit: int
    span: tuple[int, int]
    first: Origin
    last: Origin
    ids: dict[str, Any]
    times: npt.NDArray[Any] | None
    origins: Sequence[Origin]


class UnitCuts(NamedTuple):
    """One unit, and the sequences that were cut from it.

    Attributes:
        steps: all of its steps: an array [T, I], or a list of T tokens.
        cuts: the sequences, which are parts of these; to be taken before the next unit.
    """

    steps: Doubles | list[str]
    cuts: Iterator[Cut]


@dataclass
class LongTable:
    """The rows of a table as sequences, which are cut anew in each pass; without times, one unit is in memory.

    Args:
        records: the rows.
        roles: of the columns.
        given: labels of units that no column has.
        values: of units, from a table of their own.

    Attributes:
        notes: what the user should know of the last pass.
        rows: how many rows it had.
        uneven_note: a sentence on its units whose rows are not evenly spaced in time; "" where all are.
    """

    records: Records
    roles: Roles
    given: Given = None
    values: UnitValues | None = None
    notes: list[str] = field(default_factory=list, init=False)
    rows: int = field(default=0, init=False)
    uneven_note: str = field(default="", init=False)

    def cuts(self) -> Iterator[Cut]:
        """Yield the sequences, unit after unit; errors and what is left out as `units`."""
        for unit in self.units():
            yield from unit.cuts

    def units(self) -> Iterator[UnitCuts]:
        """Yield the units, and what is cut from each: windows whose label is not known are left out, and counted.

        Raises:
            DataError: a cell or a unit cannot be used; the sentence names the row.
        """
        found, sizes, lacking = Found(), list[int](), Counter[str]()
        targets = Targets(self.roles, self.records.columns, self.given)
        tokens = are_words(self.records, self.roles.input)
        words = () if tokens else columns_of_words(self.records, self.roles.input)
        for number, unit in enumerate(units_of(self.records, self.roles, found)):
            sizes.append(len(unit))
            static = _static(unit, self.roles, self.values)
            steps = _steps(unit, self.roles, words, tokens=tokens)
            if self.roles.each_step and static:
                steps, static = _with_static(unit, steps, dict(zip(self.roles.static, static, strict=True))), ()
            if not tokens:
                lacking.update(dict(zip(self.roles.step, _missing(steps), strict=True)))
            yield UnitCuts(steps, self._cuts_of(unit, number, (steps, static), targets))
        targets.check_all_taken()
        self.rows, self.uneven_note = sum(sizes), found.uneven_note
        missing = [missing_note(name, count, self.rows) for name, count in lacking.items() if count]
        unused = [] if self.values is None else self.values.without_rows(len(sizes))
        self.notes = [*found.notes(), *unused, *_shorter(sizes, self.roles), *missing, *targets.notes()]

    def _cuts_of(self, unit: Unit, number: int, whole: tuple[Any, tuple[Any, ...]], targets: Targets) -> Iterator[Cut]:
        """Yield what is cut from a unit, of which the steps and what is static are known."""
        spans, (steps, static) = windows(len(unit), self.roles), whole
        for span, target in zip(spans, targets.of(unit, spans), strict=True):
            if not targets.leaves_out(target):
                times = None if unit.times is None else unit.times[span]
                yield Cut(steps[span], target, static, number, *_place(unit, span, self.roles), times, unit.origins)


def are_words(records: Records, columns: Sequence[str]) -> bool:
    """Say whether steps are tokens: there is one column, and fewer than half of its first cells are numbers."""
    if len(columns) != 1:
        return False
    cells = [row.get(columns[0]) for row in islice(records.read(tuple(columns)), LOOKED_AT)]
    there = [cell for cell in cells if label_of(cell) is not None]
    return sum(_is_number(cell) for cell in there) * 2 < len(there)


def columns_of_words(records: Records, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of which fewer than half of the first cells are numbers: their words are categories."""
    rows = list(islice(records.read(tuple(columns)), LOOKED_AT))
    return tuple(name for name in columns if _are_words([row.get(name) for row in rows]))


def _are_words(cells: Sequence[Any]) -> bool:
    there = [cell for cell in cells if not NONE_NAMED.in_numbers(cell)]
    return sum(_is_number(cell) for cell in there) * 2 < len(there)


def _is_number(cell: Any) -> bool:
    return is_number(cell) if isinstance(cell, str) else isinstance(cell, int | float | np.number)


def _missing(steps: npt.NDArray[Any]) -> list[int]:
    """Count what is missing in each column of steps, [I]."""
    if steps.dtype.kind == "f":
        return [int(count) for count in np.isnan(steps).sum(0)]
    return [sum(label_of(cell) is None for cell in column) for column in steps.T]


def _steps(unit: Unit, roles: Roles, words: Sequence[str], *, tokens: bool) -> Any:
    """Return the steps of a unit: tokens, numbers [T, I], or, where some columns have words, objects [T, I]."""
    if tokens:
        return [str(cell) for cell in unit.cells[roles.input[0]]]
    if words:
        columns = [
            [_word(cell) for cell in unit.cells[name]]
            if name in words
            else numbers_of(name, unit.column(name), missing=True).tolist()
            for name in roles.input
        ]
        return np.array(columns, dtype=object).reshape(len(columns), len(unit)).T
    return np.stack([numbers_of(name, unit.column(name), missing=True) for name in roles.input], axis=1)


def _word(cell: Any) -> str | None:
    """Return a category as a text without the blanks around it; None for one that is missing."""
    return None if NONE_NAMED.in_numbers(cell) else str(cell).strip()


def _with_static(unit: Unit, steps: Any, static: dict[str, Any]) -> Doubles:
    """Put what holds for a whole unit into each step: a model with a label for each step reads nothing else."""
    if not isinstance(steps, np.ndarray):
        raise UsageError(
            f"{listed(list(static))} hold for a whole unit, and steps are tokens: a model with a label for each step "
            "reads values of units beside numbers only"
        )
    first = Origins([unit.origins[0]])
    found = [numbers_of(name, Column([value], first, name), missing=True) for name, value in static.items()]
    return np.concatenate([steps, np.tile(np.concatenate(found), (len(steps), 1))], axis=1)


def _static(unit: Unit, roles: Roles, values: UnitValues | None) -> tuple[Any, ...]:
    joined = {} if values is None else values.of(unit)
    return tuple(joined[name] if name in joined else unit.one_value(name, STATIC) for name in roles.static)


def _place(unit: Unit, span: slice, roles: Roles) -> tuple[tuple[int, int], Origin, Origin, dict[str, Any]]:
    """Return where a sequence stands in its unit and in the table, and what it is told by."""
    ids = dict(zip(roles.by, unit.key, strict=True))
    # Where steps have labels, a prediction is of each of them, and so is what it is told by.
    at = span if roles.each_step else span.stop - 1
    ids |= {name: _listed(unit.cells[name][at]) for name in (*roles.time, *roles.carried)}
    return (span.start, span.stop), unit.origins[span.start], unit.origins[span.stop - 1], ids


def _listed(cells: Any) -> Any:
    """Return an array of cells as a list, and anything else as it is."""
    return cells.tolist() if isinstance(cells, np.ndarray) else cells


def _shorter(sizes: Sequence[int], roles: Roles) -> Iterator[str]:
    """Yield a sentence on units with fewer rows than a window."""
    short = [size for size in sizes if roles.window is not None and size < roles.window]
    if short and not roles.each_step:
        units = f"{len(short):,} of {len(sizes):,} units have" if len(sizes) > 1 else "the only unit has"
        yield (
            f"{units} fewer rows than a window ({roles.window:,}; the shortest {min(short):,}): each of them is one "
            "shorter sequence"
        )
