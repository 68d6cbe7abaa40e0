"""The calendar as covariates whose future is known: where in the day, the week and the year a time stands."""

from __future__ import annotations

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
