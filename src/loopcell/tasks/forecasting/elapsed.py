"""The time that passed from row to row, where times are not even."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Series

Floats = npt.NDArray[np.float64]


def usual_distance(series: Sequence[Series]) -> float | None:
    """Return the median distance of two times, in seconds or as they are counted; None without any."""
    found = np.concatenate([np.empty(0), *(_seconds(np.diff(one.times)) for one in series)])
    found = found[found > 0]
    return float(np.median(found)) if len(found) else None


def time_passed(times: npt.NDArray[Any], usual: float, before: Any = None) -> Floats:
    """Return the time from row to row, in the usual distances: [T]; 1 where it is not known."""
    start = times[:1] if before is None else np.array([before], times.dtype)
    found = _seconds(np.diff(np.concatenate([start, times]))) / usual
    return np.where(found > 0, found, 1.0)


def told_ahead_note(usual: float | None) -> list[str]:
    """Return a sentence about what is known of steps ahead in training and backtests; none where times are even."""
    if usual is None:
        return []
    return [
        (
            "regular=False: training and backtests know the times of the steps ahead, so their scores are of forecasts "
            "whose times are given too (rows at the end with a time and an empty target)"
        )
    ]


def not_told_note(times: npt.NDArray[Any], usual: float | None) -> list[str]:
    """Return a sentence about steps ahead whose times are not given; none where times are even."""
    if usual is None or not np.isnan(times).any():  # of time stamps that are not known (NaT) too
        return []
    return [
        (
            "the times of steps ahead are not given, so each is taken to come at the usual distance from the one "
            "before; rows at the end with a time and an empty target give them"
        )
    ]


def _seconds(distances: npt.NDArray[Any]) -> Floats:
    """Return distances of times in seconds, as numbers those of numbers; NaN where a time is not known."""
    if distances.dtype.kind != "m":
        return distances.astype(np.float64)
    micros = distances.astype("timedelta64[ns]").astype(np.float64) / 1e9
    return np.where(np.isnat(distances), np.nan, micros)
