"""Missing values of a sequence, which are NaN: what is put in their place, and the time since the last value.

The time since the last value is that of Che, Purushotham, Cho, Sontag, Liu: Recurrent Neural Networks for Multivariate
Time Series with Missing Values, 2018 (arXiv 1606.01865), eq. 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def time_since_value(there: npt.NDArray[np.bool_], times: Floats, before: Floats | None = None) -> Floats:
    """Return how long ago each column had its last value, the step itself not counted, float64 [T, I].

    Before a column's first value it is the time since the first step.

    Args:
        there: where there is a value, [T, I].
        times: of the steps, [T], never falling.
        before: when each column had its last value before the first step, [I]; None at a sequence's beginning.
    """
    if not len(times):
        return np.zeros(there.shape)
    start = np.full(there.shape[1], times[0]) if before is None else before
    seen = np.where(there, times[:, None], -np.inf)
    last: Floats = np.maximum.accumulate(np.concatenate([start[None], seen[:-1]]))
    return times[:, None] - last


def filled_forward(values: Floats, before: Floats | None = None) -> Floats:
    """Return values [T, I] with the last one of its column in place of each NaN; NaN where there is none yet.

    Args:
        values: [T, I].
        before: the last values before the first step, [I], which may be NaN; None for none.
    """
    if not np.isnan(values).any():  # a live stream asks this of every row
        return values.copy()
    start = np.full(values.shape[1], np.nan, values.dtype) if before is None else before.astype(values.dtype)
    rows = np.concatenate([start[None], values])
    source = np.maximum.accumulate(np.where(np.isnan(rows), 0, np.arange(len(rows))[:, None]))
    filled: Floats = np.take_along_axis(rows, source, axis=0)[1:]
    return filled


def interpolated(values: Floats, times: Floats) -> Floats:
    """Return values [T, I] on a straight line in time between the neighbours of each NaN.

    Before a column's first value it is that one, and after its last one that; a column without a value stays NaN.

    Args:
        values: [T, I].
        times: of the steps, [T], never falling.
    """
    found = values.copy()
    for column in found.T:
        there = ~np.isnan(column)
        if there.any() and not there.all():
            column[~there] = np.interp(times[~there], times[there], column[there])
    return found
