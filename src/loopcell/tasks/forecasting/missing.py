"""Numbers that are missing, NaN: the last and the first that are there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def last_there(values: Floats, apart: int = 1) -> Floats:
    """Carry the last value of each column [T, K] on to where it is missing, in steps of `apart`; NaN before any."""
    steps = np.arange(len(values))[:, None]
    places = np.where(np.isnan(values), -1, steps)
    for first in range(min(apart, len(values))):
        places[first::apart] = np.maximum.accumulate(places[first::apart])
    return np.where(places < 0, np.nan, np.take_along_axis(values, places.clip(0), 0))


def first_there(values: Floats) -> Floats:
    """Return the first value of each column [T, K] that is there, [K]; NaN for none."""
    found: Floats = values[(~np.isnan(values)).argmax(0), np.arange(values.shape[1])]
    return found
