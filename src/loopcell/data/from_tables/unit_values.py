"""Values of units from a table of their own: a row a unit, joined by what tells units apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loopcell.data.from_tables.roles import demand_columns
from loopcell.data.from_tables.units import Key, Unit, label_of, named
from loopcell.data.readers.records import Origin, Records
from loopcell.errors import DataError, UsageError


@dataclass(frozen=True)
class UnitValues:
    """Values of units by their names, as a table has them.

    Attributes:
        table: what an error calls it.
        names: of the columns with values.
        rows: the values of each unit, in the order of the names, by its key as texts.
    """

    table: str
    names: tuple[str, ...]
    rows: Mapping[tuple[str, ...], tuple[Any, ...]]

    @classmethod
    def read(cls, records: Records, by: Sequence[str], names: Sequence[str] = ()) -> UnitValues:
        """Read a table with a row for each unit.

        Args:
            records: its rows.
            by: the columns that tell units apart.
            names: the columns to read; () for all others.

        Raises:
            DataError: a unit comes twice, a row is of no unit, or a column is not there; the sentence names the row.
            UsageError: nothing tells units apart, or no column is left.
        """
        if not by:
            raise UsageError(
                "values of units (statics=, --statics) go with by= (--by): say which column tells units apart"
            )
        demand_columns(records, by)
        chosen = tuple(names) or tuple(name for name in records.columns if name not in by)
        if not chosen:
            raise UsageError(f"{records} has no column beside {', '.join(by)}: there is nothing to read of units")
        records.check_columns(chosen)
        rows, seen = dict[tuple[str, ...], tuple[Any, ...]](), dict[tuple[str, ...], Origin]()
        for record in records.read((*by, *chosen)):
            key = tuple(record.get(name) for name in by)
            lacking = next((name for name, cell in zip(by, key, strict=True) if label_of(cell) is None), None)
            if lacking is not None:
                raise DataError(f"{record.origin}: column {lacking!r} has nothing in it, so that the row is of no unit")
            known = _as_texts(key)
            if known in seen:
                raise DataError(
                    f"{record.origin}: {named(key)} comes twice, here and at {seen[known]}; keep one row of it"
                )
            rows[known], seen[known] = tuple(record.get(name) for name in chosen), record.origin
        return cls(str(records), chosen, rows)

    def of(self, unit: Unit) -> dict[str, Any]:
        """Return the values of a unit by their names; DataError where the table has no row for it."""
        found = self.rows.get(_as_texts(unit.key))
        if found is None:
            raise DataError(f"{self.table} has no row for {unit.title}, which {unit.origins[0]} is of")
        return dict(zip(self.names, found, strict=True))

    def without_rows(self, units: int) -> Iterator[str]:
        """Yield a sentence where the table has more units than were asked for."""
        if len(self.rows) > units:
            more = len(self.rows) - units
            yield f"{more:,} of {len(self.rows):,} units of {self.table} have no rows, and are left out"


def _as_texts(key: Key) -> tuple[str, ...]:
    """Return what tells a unit from others, the same for 3, 3.0 and "3"."""
    return tuple(_as_text(value) for value in key)


def _as_text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
