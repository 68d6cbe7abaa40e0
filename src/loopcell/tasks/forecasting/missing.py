"""Numbers that are missing, NaN: the last and the first that are there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing import filled_forward

Floats = npt.NDArray[np.float64]


def last_there(values: Floats, apart: int = 1) -> Floats:
    """Carry the last value of each column [T, K] on to where it is missing, in steps of `apart`; NaN before any."""
    found = np.empty_like(values)
    for first in range(min(apart, len(values))):
        found[first::apart] = filled_forward(values[first::apart])
    return found


def first_there(values: Floats) -> Floats:
    """Return the first value of each column [T, K] that is there, [K]; NaN for none."""
    found: Floats = values[(~np.isnan(values)).argmax(0), np.arange(values.shape[1])]
    return found
