"""The places where forecasts start: a time or a number of a step that the user gives, as a place in a series."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from loopcell.data import Series
from loopcell.data.series import read_stamps, shown
from loopcell.errors import UsageError


def first_after(series: Series, start: Any) -> int:
    """Return the first step at or after a time; a whole number counts steps, from the end if it is negative.

    Raises:
        UsageError: it is neither a time of the series' kind nor a number of a step.
    """
    if isinstance(start, int) and not isinstance(start, bool):
        return start if start >= 0 else max(0, len(series) + start)
    try:
        time = _instant(start, series.zone) if series.times.dtype.kind == "M" else float(start)
    except (TypeError, ValueError) as error:
        example = shown(series.times[-1], series.zone) if len(series) else "2024-01-01"
        raise UsageError(f"{start!r} is not a time to start from; write it like {example!r}, or count steps") from error
    return int(np.searchsorted(series.times, time))


def span_between(series: Series, start: Any, end: Any) -> tuple[int, int]:
    """Return the first step from a time on, and the first one from another time on; None for all; errors as above."""
    return 0 if start is None else first_after(series, start), len(series) if end is None else first_after(series, end)


def _instant(start: Any, zone: str | None) -> Any:
    """Return a time to start from, as series have them; without an offset it is on the clock of their zone."""
    start = f"{start}-01-01" if isinstance(start, str) and re.fullmatch(r"\d{4}", start) else start
    found = read_stamps([start])
    if found.zone is not None and zone is None:
        raise ValueError("the times of the series have no zone")
    if zone is not None and found.zone is None:
        found = read_stamps([start], zone)
    if found.times.dtype.kind != "M":
        raise ValueError("no time")
    return found.times[0]
