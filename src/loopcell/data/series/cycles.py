"""The calendar as covariates whose future is known: where in the day, the week and the year a time stands; holidays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError

_DAY = 86_400e6  # microseconds

# What turns: its period in microseconds, and the time at which it starts. 1970-01-05 was a Monday.
CYCLES = {
    "day": (_DAY, np.datetime64("1970-01-01", "us")),
    "week": (7 * _DAY, np.datetime64("1970-01-05", "us")),
    "year": (365.2425 * _DAY, np.datetime64("1970-01-01", "us")),
}

DATE_PARTS = {"hour": 24, "weekday": 7, "month": 12, "dayofyear": 0}
"""Parts of a date, and how many each has: 0 for a part that is a number."""


def calendar(times: npt.NDArray[Any], cycles: tuple[str, ...] = ("day", "week", "year")) -> npt.NDArray[np.float64]:
    """Give the sine and cosine of each cycle's phase, float64 `[T, 2 * len(cycles)]`.

    Args:
        times: datetime64 `[T]`.
        cycles: names from `CYCLES`; leave out what is shorter than a few steps.

    Raises:
        InputError: the times are not time stamps, or there is no such cycle.
    """
    if times.dtype.kind != "M" or any(cycle not in CYCLES for cycle in cycles):
        raise InputError(
            f"calendar takes time stamps (datetime64) and cycles of {', '.join(CYCLES)}, got {times.dtype}, {cycles}"
        )
    chosen = [CYCLES[cycle] for cycle in cycles]
    phases = [(times - start).astype("timedelta64[us]").astype(np.float64) / period for period, start in chosen]
    angles = [2 * np.pi * phase for phase in phases]
    return np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)


def date_part(times: npt.NDArray[Any], part: str) -> npt.NDArray[np.float64]:
    """Give a part of dates, float64 `[T]`: its number from 1 on (the week begins on Monday); of the year -0.5 to 0.5.

    Args:
        times: datetime64 `[T]`.
        part: a name of `DATE_PARTS`.
    """
    days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
    if part == "hour":
        found: npt.NDArray[np.int64] = (times - days).astype("timedelta64[h]").astype(np.int64)
    elif part == "weekday":
        found = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    elif part == "month":
        found = (months - years.astype("datetime64[M]")).astype(np.int64)
    else:
        return np.asarray((days - years.astype("datetime64[D]")).astype(np.int64) / 365.0 - 0.5)
    return np.asarray(found + 1.0)


def is_holiday(times: npt.NDArray[Any], days: Sequence[str]) -> npt.NDArray[np.float64]:
    """Give 1 for times on some days and 0 for others, float64 `[T]`."""
    return np.isin(times.astype("datetime64[D]"), np.array(days, "datetime64[D]")).astype(np.float64)
