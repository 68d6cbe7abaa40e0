"""Columns of Arrow as cells, without a Python object for each number where nothing would be lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import EXACT
from loopcell.data.readers.row_block import NumberLists
from loopcell.files.extras import require


def columns_of(batch: Any) -> dict[str, Sequence[Any]] | None:
    """Return the cells of a batch by the names of its columns; None where some cannot be read.

    Numbers are arrays, float64 or int64, and lists of numbers, or of lists of numbers of one length, are lists of
    arrays [T] or [T, I]; where a cell is missing, of floats it is NaN. Whatever is not so, or is a whole number that
    float64 would round, is as PyArrow gives it to Python.
    """
    try:
        return {name: _cells(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    except Exception:  # noqa: BLE001 - bytes that are no text, times out of range; row by row the reason is said
        return None


def _cells(column: Any) -> Sequence[Any]:
    types = require("pyarrow", "data", "data frames need").types
    if types.is_floating(column.type) or (types.is_integer(column.type) and not column.null_count):
        numbers: Any = _numbers(column)
        return list(column.to_pylist()) if numbers is None else numbers
    if types.is_list(column.type) or types.is_large_list(column.type):
        arrays = _lists(column)
        return column.to_pylist() if arrays is None else arrays
    found: list[Any] = column.to_pylist()
    return found


def _numbers(column: Any) -> npt.NDArray[Any] | None:
    """Return floats as float64 and whole numbers as int64; None where some would be rounded."""
    found = column.to_numpy(zero_copy_only=False)
    if found.dtype.kind == "f":
        return np.asarray(found, np.float64)
    if found.size and (found.max() >= EXACT or found.min() <= -EXACT):
        return None
    return np.asarray(found, np.int64)


def _lists(column: Any) -> NumberLists | None:
    """Return a list of numbers as an array [T] each, of lists of numbers [T, I]; None for any other."""
    types = require("pyarrow", "data", "data frames need").types
    inner = column.type.value_type
    if column.null_count:
        return None
    offsets = column.offsets.to_numpy()
    values = column.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    offsets = offsets - offsets[0]
    if types.is_list(inner) or types.is_large_list(inner):
        rows = _steps(values)
    elif types.is_floating(inner) or types.is_integer(inner):
        rows = None if values.null_count else values.to_numpy(zero_copy_only=False)
    else:
        rows = None
    if rows is None:
        return None
    return NumberLists(rows[first:stop] for first, stop in pairwise(offsets.tolist()))


def _steps(lists: Any) -> npt.NDArray[Any] | None:
    """Return lists of numbers of one length as [S, I]; None where they differ, or are lists of something else."""
    types = require("pyarrow", "data", "data frames need").types
    kind = lists.type.value_type
    if lists.null_count or not (types.is_floating(kind) or types.is_integer(kind)):
        return None
    offsets = lists.offsets.to_numpy()
    sizes = np.diff(offsets)
    values = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    if values.null_count or not len(sizes) or (sizes != sizes[0]).any() or not sizes[0]:
        return None
    found: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(sizes), int(sizes[0]))
    return found
