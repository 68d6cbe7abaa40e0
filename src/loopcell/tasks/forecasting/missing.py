"""Numbers that are missing, NaN: the last one there, scales of what is there, and what is read in their place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import Scale, scale_of
from loopcell.tasks.forecasting.settings import FillName

Floats = npt.NDArray[np.float64]


def filled_in_time(values: Floats, how: FillName, newest: Floats) -> Floats:
    """Return columns [T, C] of which missing numbers are the ones before; "mask" leaves them.

    Args:
        values: NaN where one is missing; what cannot be filled stays so.
        how: what stands in the place of a missing number. A straight line would need the number after it.
        newest: [C], before the first row.
    """
    return values if how == "mask" else last_there(np.concatenate([newest[None], values]))[1:]


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


def scale_of_there(values: Floats) -> Scale:
    """Return the mean and deviation of what is there in columns [T, K]; 0 and 1 of a column with nothing."""
    if not np.isnan(values).any():
        return scale_of([values], values.shape[1])
    parts = []
    for column in values.T:
        there = column[~np.isnan(column)][:, None]
        parts.append(scale_of([there], 1) if len(there) else Scale(np.zeros(1), np.ones(1)))
    return Scale(*(np.concatenate(part) for part in zip(*parts, strict=True)))
