"""Frames of pandas and polars: as tables whose rows are examples, and as the form that predictions are given in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import SequenceData, as_doubles, columns_by_name, is_table


def as_rows(given: Any, name: str, fewest: int = 1) -> Any:
    """Return a frame whose columns are all numbers as an array [N, F], a row an example; anything else as it is.

    Args:
        given: perhaps a frame.
        name: what an error calls it.
        fewest: the columns that it takes to be an array; of y a single one would better be given as that column.

    Raises:
        DataError: a number is not there as one, or two columns have one name.
    """
    if not is_table(given):
        return given
    columns = list(columns_by_name(given, name))
    if len(columns) < fewest or not all(_is_numeric(column) for _, column in columns):
        return given
    return np.stack([as_doubles(column, f"{name}, column {label!r},") for label, column in columns], axis=1)


def width_of(given: Any) -> int | None:
    """Return the number of columns of an array [N, F], or of a frame of numbers; None where there are none."""
    if isinstance(given, list | tuple | str) or not (hasattr(given, "shape") or hasattr(given, "__array__")):
        return None
    shape = given.shape if hasattr(given, "shape") else np.asarray(given).shape
    return int(shape[1]) if len(shape) == 2 else None


def like(given: Any, values: Any, columns: Iterable[Any] | None = None) -> Any:
    """Return predictions as a series or a frame where X is one of pandas, with its index, or of polars.

    Of anything else they are given as they are.

    Args:
        given: X, as the user gave it.
        values: a prediction for each example: an array [N] or [N, K], or a list.
        columns: the names of the K columns; None numbers them.
    """
    given = given.X if isinstance(given, SequenceData) else given
    library = type(given).__module__.partition(".")[0]
    if library not in ("pandas", "polars"):
        return values
    tool = sys.modules[library]  # whoever made X has imported it
    options = {"index": given.index} if library == "pandas" else {}
    if getattr(values, "ndim", 1) == 2:
        names = range(values.shape[1]) if columns is None else columns
        labels = list(names) if library == "pandas" else [str(name) for name in names]
        return tool.DataFrame(dict(zip(labels, values.T, strict=True)), **options)
    if library == "pandas":
        return tool.Series(_entries(values), **options)
    return tool.Series(values.tolist() if isinstance(values, np.ndarray) else values)


def _entries(values: Any) -> npt.NDArray[Any]:
    """Return an array with one entry for each example, also where that is a sequence."""
    if isinstance(values, np.ndarray):
        return values
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _is_numeric(column: Any) -> bool:
    """Tell whether a column is of numbers or truth values."""
    dtype = column.dtype if hasattr(column, "dtype") else column.type
    if hasattr(dtype, "kind"):  # types of NumPy and pandas have one, those of polars have none
        return dtype.kind in "biuf"
    return bool(getattr(dtype, "is_numeric", lambda: False)()) or str(dtype) == "Boolean"
