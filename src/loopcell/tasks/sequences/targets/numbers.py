"""Numbers to predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import as_doubles, as_numbers, check_finite
from loopcell.data.readers import where
from loopcell.errors import DataError
from loopcell.tasks.sequences.targets.labels import demand_all


def as_number_rows(y: Sequence[Any], outputs: int | None = None) -> npt.NDArray[np.float64]:
    """Return targets as float64 [N, K]; K is 1 where each is one number.

    Args:
        y: numbers, or lists of K numbers.
        outputs: the K that training had; None takes that of the first target.

    Raises:
        DataError: one is not a number, not finite, or has another length than the first; the sentence says which.
    """
    demand_all(y, "a number")
    if np.ndim(y[0]) == 0:
        rows = as_numbers(y)[:, None]
    else:
        first = _row(y, 0)
        rows = np.stack([_row(y, index, like=first) for index in range(len(y))])
    if outputs not in (None, rows.shape[1]):
        raise DataError(f"{where(y, 0)} has {rows.shape[1]} numbers, and the targets of training had {outputs}")
    return rows


def _row(y: Sequence[Any], index: int, like: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
    row = as_doubles(y[index], where(y, index))
    if row.ndim != 1 or not row.size:
        raise DataError(f"{where(y, index)} has the shape {list(row.shape)}; a target is one number, or K of them [K]")
    check_finite(row, where(y, index))
    if like is not None and row.shape != like.shape:
        raise DataError(f"{where(y, index)} has {len(row)} numbers, and the first target has {len(like)}")
    return row
