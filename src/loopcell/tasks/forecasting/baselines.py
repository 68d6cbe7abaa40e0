"""Forecasts that anybody could make: the last value, and the value a season ago."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcell.tasks.forecasting.missing import last_there

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def seasonal_naive(target: Floats, places: Places, horizon: int, season: int) -> Floats:
    """Repeat the last season; with a season of 1 the last value.

    Where that value is missing it is the one of a season before, and without any such the last value there.
    Before any value came nobody could make such a forecast: it is NaN there, and not scored.

    Args:
        target: [T, K]; NaN where missing.
        places: [N], the first steps of the futures; at least `season`.
        horizon: f.
        season: steps of a season.

    Returns:
        Forecasts [N, f, K]; NaN where no value of the column came before the place.
    """
    back = season - np.arange(horizon) % season  # the step j of a season stands season - j before the place
    found: Floats = last_there(target, season)[places[:, None] - back]
    if not np.isnan(found).any():
        return found
    newest = last_there(target)[places - 1][:, None]
    return np.where(np.isnan(found), newest, found)


def naive_error(target: Floats, season: int) -> Floats:
    """Return the mean absolute error [K] of the value a season ago over a training part [T, K]; NaN if too short.

    It is what MASE divides by: Hyndman, Koehler: Another look at measures of forecast accuracy, 2006, eq. in section 3.
    """
    errors = np.abs(target[season:] - target[: max(0, len(target) - season)])
    there = np.isfinite(errors)
    count = there.sum(0)
    found: Floats = np.where(count > 0, np.where(there, errors, 0.0).sum(0) / np.maximum(count, 1), np.nan)
    return found
