"""Numbers to predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import where
from loopcell.errors import DataError


def as_numbers(y: Sequence[Any]) -> npt.NDArray[np.float32]:
    """Targets as float32 [N, K]; K is 1 where each is one number.

    Raises:
        DataError: one is not a number, not finite, or has another length than the first; the sentence says which.
    """
    rows = [_row(y, index) for index in range(len(y))]
    lengths = {len(row): index for index, row in reversed(list(enumerate(rows)))}
    if len(lengths) > 1:
        index = max(lengths.values())
        raise DataError(f"{where(y, index)} has {len(rows[index])} numbers and {where(y, 0)} has {len(rows[0])}")
    return np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)


def _row(y: Sequence[Any], index: int) -> npt.NDArray[np.float32]:
    try:
        row = np.asarray(y[index], dtype=np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where(y, index)}: {y[index]!r} is not a number") from error
    if not np.isfinite(row).all() or not len(row):
        raise DataError(f"{where(y, index)}: {y[index]!r} is not a finite number")
    return row
