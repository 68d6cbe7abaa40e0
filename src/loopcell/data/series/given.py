"""Users' time series, brought to what `series_from` reads: tables and arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import as_array, as_doubles, is_tensor
from loopcell.data.examples.tables import is_table
from loopcell.data.readers.records import Records, listed
from loopcell.errors import UsageError

INDEX = "the index"  # what the column is called that a frame's index becomes
VALUE = "value"  # what a series without a name is called


def as_arrays(data: Any) -> Any:
    """Convert tensors, masked arrays and what has only `__array__` to plain arrays, also in a list; leave the rest.

    Raises:
        DataError: there are no real numbers in it: complex ones, a sparse matrix, ...
    """
    if isinstance(data, list | tuple) and any(isinstance(one, np.ndarray) or is_tensor(one) for one in data):
        return [as_array(one, f"series {at}") if _is_array(one) else one for at, one in enumerate(data, 1)]
    return as_array(data, "data") if _is_array(data) else data


def as_column(values: Any, name: str) -> Any:
    """Return a column of a dictionary, of which tensors are arrays and masked values missing ones; else as it is."""
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind == "M":
        return values.filled(np.datetime64("NaT"))
    return as_array(values, f"data, column {name!r},") if _is_array(values) else values


def _is_array(data: Any) -> bool:
    """Return whether NumPy's own conversion of this would lose something, or is the only way to read it."""
    if is_tensor(data) or isinstance(data, np.ma.MaskedArray) or hasattr(data, "tocsr") or hasattr(data, "todense"):
        return True
    plain = isinstance(data, np.ndarray | np.generic | str | os.PathLike | Mapping) or is_table(data)
    return hasattr(data, "__array__") and not plain and not hasattr(data, "to_frame")


def arrays_of(data: Any) -> list[npt.NDArray[Any]] | None:
    """Return the arrays of a list of them, each a series of its own; None for anything else than such a list.

    Raises:
        UsageError: a list of something else, which is neither arrays nor files nor numbers.
    """
    if not isinstance(data, list | tuple) or not data or _all(data, str, os.PathLike) or are_numbers(data):
        return None
    if not _all(data, np.ndarray):
        wrong = next(type(one).__name__ for one in data if not isinstance(one, np.ndarray))
        raise UsageError(
            f"a list is one of files, of numbers, or of arrays [T] or [T, K], each a series of its own; this one has a "
            f"{wrong}: put frames into one, with a column that tells the series apart (series=)"
        )
    return list(data)


def are_numbers(data: Any) -> bool:
    """Return whether this is a list of numbers: one series."""
    return isinstance(data, list | tuple) and bool(data) and _all(data, int, float, np.number)


def names_of(time: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the columns with the times: none, one or several."""
    if time is None or isinstance(time, str):
        return () if time is None else (time,)
    return tuple(time)


def as_table(
    data: Any, targets: tuple[str, ...], times: tuple[str, ...]
) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Return a table, its targets and the columns with its times.

    The series of pandas and polars become a frame of one column, which is the target and named as `targets` says, or as
    the series is. Where no column of times is named, a pandas index of time stamps or periods becomes one. Of periods
    the starts are the times.
    """
    if are_numbers(data):
        return as_doubles(data, "data"), targets, times
    if _is_series(data):
        name = targets[0] if len(targets) == 1 else str(data.name or VALUE)
        data, targets = data.to_frame(name), targets or (name,)
    for time in times:
        if _is_of_periods(data, time):
            data = data.assign(**{time: data[time].dt.to_timestamp()})
    stamps = None if times else _stamps(data)
    return (data, targets, times) if stamps is None else (data.assign(**{INDEX: stamps}), targets, (INDEX,))


def demand_target(
    targets: Sequence[str], table: Mapping[str, Any] | Records, others: Sequence[str | None] = ()
) -> None:
    """Refuse a table of which no column is to be forecast; UsageError lists those that could be.

    Args:
        targets: the names of the columns to forecast.
        table: the columns that there are.
        others: names of columns that are something else.
    """
    if targets:
        return
    columns, hint = (table.columns, table.hint) if isinstance(table, Records) else (tuple(table), "")
    free = [str(name) for name in columns if name not in others]
    there = f"there is only {listed(free)}" if len(free) == 1 else f"there are {listed(free) or 'none'}"
    raise UsageError(f"name the column to forecast (target=): {there}{hint}")


def _all(data: Sequence[Any], *kinds: type) -> bool:
    return all(isinstance(one, kinds) and not isinstance(one, bool) for one in data)


def _is_series(data: Any) -> bool:
    """Return whether this is one column of pandas or polars."""
    return hasattr(data, "to_frame") and hasattr(data, "name") and getattr(data, "ndim", 1) == 1


def _is_of_periods(frame: Any, column: str) -> bool:
    """Return whether a column of a pandas frame has periods, which others would take for whole numbers."""
    if not hasattr(frame, "assign") or column not in getattr(frame, "columns", ()):
        return False
    return str(getattr(frame[column], "dtype", "")).startswith("period")


def _stamps(frame: Any) -> Any:
    """Return the times of a pandas frame's index with their zone, of a period its start; None where it has none."""
    index: Any = getattr(frame, "index", None)
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    if getattr(getattr(index, "dtype", None), "kind", "") != "M" or not hasattr(frame, "assign"):
        return None
    return index
