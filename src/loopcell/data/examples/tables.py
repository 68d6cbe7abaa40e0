"""Tables of pandas, polars and PyArrow: their columns by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from loopcell.errors import DataError


def is_table(given: Any) -> bool:
    """Return whether this is a table with named columns, in memory or (polars' LazyFrame) still to be computed."""
    kind = type(given)
    named = kind.__name__ in ("DataFrame", "LazyFrame", "Table", "RecordBatch", "GeoDataFrame")
    return named and (hasattr(kind, "columns") or hasattr(kind, "column_names"))


def column_names(table: Any, name: str) -> list[str]:
    """Return the names of a table's columns, as texts.

    Raises:
        DataError: two columns have one name.
    """
    given = table.collect_schema().names() if hasattr(table, "collect_schema") else _names(table)
    found = [str(label) for label in given]
    twice = next((label for label, count in Counter(found).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{name} has two columns {twice!r}; give every column its own name")
    return found


def columns_by_name(table: Any, name: str, wanted: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Give columns in the order of their names in `wanted`, wherever they stand in the table; None gives all.

    Raises:
        DataError: one of them is not there, or two columns have one name.
    """
    table = table.collect() if hasattr(table, "collect") else table
    places = {label: place for place, label in enumerate(column_names(table, name))}
    for label in places if wanted is None else wanted:
        if label not in places:
            there = ", ".join(map(repr, places))
            raise DataError(f"{name} has no column {label!r}, which the model was trained with; it has {there}")
        yield label, _column(table, places[label])


def _names(table: Any) -> list[Any]:
    return list(table.column_names if hasattr(table, "column_names") else table.columns)


def _column(table: Any, place: int) -> Any:
    if hasattr(table, "iloc"):
        return table.iloc[:, place]
    return table.column(place) if hasattr(table, "column_names") else table.to_series(place)
