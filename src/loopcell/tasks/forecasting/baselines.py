"""Forecasts that anybody could make: the last value, and the value a season ago."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def seasonal_naive(target: Floats, places: Places, horizon: int, season: int) -> Floats:
    """Repeat the last season; with a season of 1 the last value.

    Args:
        target: [T, K].
        places: [N], the first steps of the futures; at least `season`.
        horizon: f.
        season: steps of a season.

    Returns:
        Forecasts [N, f, K].
    """
    back = season - np.arange(horizon) % season  # the step j of a season stands season - j before the place
    found: Floats = target[places[:, None] - back]
    return found


def naive_error(target: Floats, season: int) -> Floats:
    """Return the mean absolute error [K] of the value a season ago over a training part [T, K]; NaN if too short.

    It is what MASE divides by: Hyndman, Koehler: Another look at measures of forecast accuracy, 2006, eq. in section 3.
    """
    if len(target) <= season:
        return np.full(target.shape[1], np.nan)
    found: Floats = np.abs(target[season:] - target[:-season]).mean(0)
    return found
