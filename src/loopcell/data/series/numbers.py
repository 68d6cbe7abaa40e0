"""Numbers of a time series from the cells of a column, with the place of each that is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import EXACT, as_doubles, as_number, number_of_text
from loopcell.data.examples.missing_values import NONE_NAMED, MissingValues
from loopcell.data.readers.records import Column, where
from loopcell.errors import DataError, quoted

Floats = npt.NDArray[np.float64]
_NUMBERS = (np.bool_, np.integer, np.floating, np.str_)


def numbers_of(name: str, column: Sequence[Any], *, missing: bool, values: MissingValues = NONE_NAMED) -> Floats:
    """Return a column as float64.

    Args:
        name: of the column.
        column: its cells.
        missing: let what is not there be NaN.
        values: what stands for that, beside the usual words.

    Raises:
        DataError: a value is missing where that is not allowed, infinite, or no number; the message names the cell.
    """
    cells = column.values if isinstance(column, Column) else column
    if isinstance(cells, np.ndarray) and cells.dtype.kind not in "OUT":
        found = as_doubles(cells, f"data, column {name!r},")
    else:
        bulk = _bulk(cells)
        found = np.array([_number(name, column, at, values) for at in range(len(column))]) if bulk is None else bulk
    found = values.as_nan(found)
    bad = np.flatnonzero(np.isinf(found) | (np.isnan(found) & (not missing)))
    if len(bad):
        at = int(bad[0])
        what = "the value is missing" if np.isnan(found[at]) else "the value is infinite"
        raise DataError(
            f"{cell_name(name, column, at)}: {what}" + (f"; so are {len(bad) - 1:,} more" if len(bad) > 1 else "")
        )
    return found


def _bulk(values: Any) -> Floats | None:
    """Read cells all at once; None where one of them has to be looked at by itself."""
    kinds = {kind for kind in map(type, values) if kind.__module__.partition(".")[0] == "numpy"}
    if not all(issubclass(kind, _NUMBERS) and not issubclass(kind, np.timedelta64) for kind in kinds):
        return None
    try:
        found = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if (np.abs(found) >= EXACT).any() else found


def _number(name: str, column: Sequence[Any], index: int, values: MissingValues) -> float:
    cell = column[index]
    try:
        if isinstance(cell, str):
            return float("nan") if values.in_numbers(cell) else number_of_text(cell)
        return as_number(cell)
    except ValueError as error:
        reason = str(error) if "whole number" in str(error) else f"{quoted(str(cell), 40)} is not a number"
        raise DataError(f"{cell_name(name, column, index)}: {reason}") from error


def cell_name(name: str, column: Sequence[Any], index: int) -> str:
    """Name a cell in an error: its row, as its file counts them, and its column."""
    return f"{row_name(column, index)}, column {name!r}"


def row_name(column: Sequence[Any], index: int) -> str:
    """Name a row in an error, by its file and line where they are known."""
    return where(column, index) if hasattr(column, "origins") else f"data row {index + 1}"
