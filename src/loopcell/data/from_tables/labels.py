"""The targets of sequences that were cut from units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.from_tables.roles import Roles
from loopcell.data.from_tables.units import LABEL, Unit, label_of
from loopcell.data.readers.cells import is_number
from loopcell.data.readers.records import Column
from loopcell.data.series.numbers import numbers_of
from loopcell.errors import DataError, UsageError, quoted

Given = Mapping[Any, Any] | Sequence[Any] | None
"""Labels of units that no column has: by their names, or in their order."""


@dataclass
class Targets:
    """The targets of the sequences of each unit.

    Args:
        roles: of the table's columns.
        columns: the table's columns.
        given: labels of units that no column has; of what remains, the rows that come after the last one.

    Attributes:
        wanted: whether there are any.
        counts_down: whether they are the rows that a unit still has after each sequence.
    """

    roles: Roles
    columns: Sequence[str]
    given: Given = None

    def __post_init__(self) -> None:
        """Refuse labels of units where each step has its own; UsageError."""
        self.counts_down = self.roles.counts_down(self.columns)
        self.wanted = self.roles.target is not None or bool(self.roles.labels) or self.given is not None
        if self.counts_down and self.roles.last and self.given is None:
            raise UsageError(
                f"nothing is left of a unit after its last window, so that every {self.roles.target!r} would be 0: "
                "give what each unit still had after its last row (unit_labels=, --unit-labels FILE), or leave out "
                "last (--last)"
            )
        self._taken = self._capped = self._left_out = self._count = 0
        if self.roles.each_step and (self.given is not None or self.counts_down):
            what = "labels of units are" if self.given is not None else f"the target {self.roles.target!r} is"
            raise UsageError(f"{what} for sequences that have one label each, and a tagger learns one for each step")
        if self.roles.each_step and self.roles.cap is not None:
            raise UsageError(
                "a cap is for sequences that have one number each, and a tagger learns a label for each step"
            )

    def of(self, unit: Unit, spans: Sequence[slice]) -> list[Any]:
        """Return the target of each span of a unit's rows; None for one that is not known.

        Raises:
            DataError: the label of a unit that has one changes within it; or a cell is no number, and there is a cap.
        """
        if not self.wanted:
            return [None] * len(spans)
        given = None if self.given is None else self._given(self.given, unit)
        if self.counts_down:
            after = 0 if given is None else _number(given, unit)
            found = [after + len(unit) - span.stop for span in spans]
        else:
            found = self._of_column(unit, spans) if self.given is None else [given] * len(spans)
        self._count += len(found)
        return [self._within_cap(target) for target in found]

    def leaves_out(self, target: Any) -> bool:
        """Say whether a window is left out, since its label is not known; it is counted."""
        out = self.wanted and self.roles.window is not None and target is None
        self._left_out += out
        return out

    def check_all_taken(self) -> None:
        """Refuse more labels of units than there were units; DataError."""
        if self.given is not None and not isinstance(self.given, Mapping) and self._taken < len(self.given):
            raise DataError(f"there are {len(self.given):,} labels of units, and {self._taken:,} units")

    def notes(self) -> Iterator[str]:
        """Yield a sentence on each thing that the user should know."""
        if self.counts_down:
            yield (
                f"no column is called {self.roles.target!r}: the target of a sequence is the number of rows that its "
                "unit still has after it"
            )
        if self._capped:
            yield capped_note(self._capped, self._count, self.roles.cap)
        if self._left_out:
            yield f"{self._left_out:,} of {self._count:,} windows have no label in their last row, and are left out"

    def _of_column(self, unit: Unit, spans: Sequence[slice]) -> list[Any]:
        if self.roles.labels:
            columns = np.stack([_zeros_and_ones(unit, name) for name in self.roles.labels], axis=1)
            return [columns[span] for span in spans]
        name = self.roles.target
        assert name is not None
        if self.roles.window is None and not self.roles.each_step:
            return [self._number(unit, name, [unit.one_value(name, LABEL)])[0]]
        cells = self._number(unit, name, unit.cells[name])
        if self.roles.each_step:
            return [[label_of(cell) for cell in cells[span]] for span in spans]
        return [label_of(cells[span.stop - 1]) for span in spans]

    def _number(self, unit: Unit, name: str, cells: list[Any]) -> list[Any]:
        """Return labels as numbers where there is a cap; else as they are."""
        if self.roles.cap is None:
            return cells
        column = unit.column(name) if len(cells) == len(unit) else unit.column(name)[:1]
        column.values = cells
        return list(numbers_of(name, column, missing=True))

    def _given(self, given: Mapping[Any, Any] | Sequence[Any], unit: Unit) -> Any:
        """Return the label that was given for a unit; DataError where there is none."""
        if isinstance(given, Mapping):
            names = (unit.key[0], str(unit.key[0])) if len(unit.key) == 1 else (unit.key,)
            name = next((name for name in names if name in given), None)
            if name is None:
                raise DataError(f"the labels of units have none for {unit.title}")
            return label_of(given[name])
        self._taken += 1
        if self._taken > len(given):
            raise DataError(f"there are {len(given):,} labels of units, and more units: {unit.title} has none")
        return label_of(given[self._taken - 1])

    def _within_cap(self, target: Any) -> Any:
        cap = self.roles.cap
        if cap is None or target is None or target <= cap:
            return target
        self._capped += 1
        return cap


def capped(column: Column, cap: float | None) -> tuple[Column, str]:
    """Return targets with none larger than a cap, and a sentence on how many were; "" for none.

    Raises:
        DataError: there is a cap, and a target is no number.
    """
    if cap is None:
        return column, ""
    found = numbers_of(column.name, column, missing=True)
    larger = int((found > cap).sum())
    cells = [label_of(float(number)) for number in np.minimum(found, cap)]
    note = capped_note(larger, len(found), cap) if larger else ""
    return Column(cells, column.origins, column.name, column.units), note


def capped_note(larger: int, count: int, cap: float | None) -> str:
    """Return the sentence on targets that are read as a cap."""
    return f"{larger:,} of {count:,} targets are larger than the cap, and read as {cap:g}"


def _zeros_and_ones(unit: Unit, name: str) -> npt.NDArray[np.float32]:
    """Return which steps have the label of a column, [T], NaN where that is not known; DataError for other values."""
    column = unit.column(name)
    found = numbers_of(name, column, missing=True)
    others = np.flatnonzero(~(np.isnan(found) | np.isin(found, (0, 1))))
    if len(others):
        at = int(others[0])
        raise DataError(
            f"{column.origins[at]}: column {name!r} has {quoted(column.values[at], 40)}; where several columns are "
            "targets each is a label of its own, 1 where a step has it and 0 where not"
        )
    return found.astype(np.float32)


def _number(given: Any, unit: Unit) -> float:
    text = str(given).strip()
    if not is_number(text):
        raise DataError(f"the label of {unit.title} is {quoted(given, 40)}, and the rows that remain are a number")
    value = float(text)
    return int(value) if value.is_integer() else value
