"""Rows that are examples, and whose columns are the steps of a sequence or the numbers of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loopcell.data.examples.arrays import as_doubles, as_number, number_of_text
from loopcell.data.examples.missing_values import NONE_NAMED
from loopcell.data.readers.origins import Origin
from loopcell.errors import DataError


def wide_row(cells: Sequence[Any], names: Sequence[str], origin: Origin) -> Any:
    """Make the sequence of one row.

    Args:
        cells: of one column, what is in it; of several, a number each, or a sequence of equally many numbers each.
        names: of the columns.
        origin: the row.

    Returns:
        The one cell as it is; of numbers an array [T], a step for each column; of sequences an array [T, I], a number
        of a step for each column.

    Raises:
        DataError: a cell of several is no number and no word for a missing one (which is NaN), or the sequences differ
            in length; the sentence names the row.
    """
    if len(cells) == 1:
        return cells[0]
    arrays = [_numbers(cell, name, origin) for cell, name in zip(cells, names, strict=True)]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim > 1:
        shown = ", ".join(f"{name} {_shape(array)}" for name, array in zip(names, arrays, strict=True))
        raise DataError(
            f"{origin}: columns that make a sequence have a number each, or lists of one length, got {shown}"
        )
    return np.stack(arrays, axis=-1)


def _numbers(cell: Any, name: str, origin: Origin) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        if isinstance(cell, bytes):
            raise TypeError
        if NONE_NAMED.in_numbers(cell):
            return np.asarray(np.nan)
        if isinstance(cell, str):
            return np.asarray(number_of_text(cell), dtype=np.float64)
        array = np.asarray(cell)
        if array.ndim == 0:
            return np.asarray(as_number(cell), dtype=np.float64)
        whole = array.dtype.kind in "iu"
        return as_doubles(array, f"{origin}: column {name!r}") if whole else np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        rounded = str(error) if "would round" in str(error) else ""
        found = rounded or repr(cell)[:60]
        raise DataError(
            f"{origin}: column {name!r} has {found}, and several columns make a sequence of numbers"
        ) from None


def _shape(array: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return "one number" if not array.ndim else f"an array {list(array.shape)}"
