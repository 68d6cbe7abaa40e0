"""Numbers to predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import as_numbers, where
from loopcell.errors import DataError


def as_number_rows(y: Sequence[Any]) -> npt.NDArray[np.float32]:
    """Targets as float32 [N, K]; K is 1 where each is one number.

    Raises:
        DataError: one is not a number, not finite, or has another length than the first; the sentence says which.
    """
    if np.ndim(y[0]) == 0:
        return as_numbers(y).astype(np.float32)[:, None]
    return np.stack([_row(y, index) for index in range(len(y))])


def _row(y: Sequence[Any], index: int) -> npt.NDArray[np.float32]:
    try:
        row = np.asarray(y[index], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where(y, index)}: {y[index]!r} is not a list of numbers") from error
    if row.shape != np.shape(y[0]) or row.ndim != 1 or not np.isfinite(row).all():
        raise DataError(f"{where(y, index)}: {y[index]!r} is not {len(y[0])} finite numbers, as the first target is")
    return row
