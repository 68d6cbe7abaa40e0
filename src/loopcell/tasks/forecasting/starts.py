"""The places where forecasts start: a time or a number of a step that the user gives, as a place in a series."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def firsts_from(series: Sequence[Series], start: Any) -> list[int]:
    """Return the first step of each series from a time on; errors as `demand_steps_between`."""
    demand_steps_between(series, start, None)
    return [span_between(one, start, None)[0] for one in series]


def demand_steps_between(series: Sequence[Series], start: Any, end: Any) -> None:
    """Refuse a start after the end of every series, and an end that is not after the start.

    Raises:
        UsageError: no series has a step from the one to the other; the sentence says where the data end, or begin.
    """
    spans = [span_between(one, start, end) for one in series]
    if start is not None and all(first >= len(one) for one, (first, _) in zip(series, spans, strict=True)):
        raise UsageError(f"start={_said(start)} is after the end of the data: {_last_of(series)}; begin earlier")
    if end is not None and not any(last > max(first, 0) for first, last in spans):
        before = "the beginning of the data" if start is None else f"start={_said(start)}"
        raise UsageError(f"end={_said(end)} is not after {before}, so that no step is between; end later")


def _said(place: Any) -> str:
    return repr(place) if isinstance(place, int | str) else f"'{place}'"


def _last_of(series: Sequence[Series]) -> str:
    """Say where the longest or latest series ends."""
    steps = max(len(one) for one in series)
    timed = [one for one in series if len(one) and one.times.dtype.kind == "M"]
    at = f", the last at {max(shown(one.times[-1], one.zone) for one in timed)}" if timed else ""
    whose = "the longest series has" if len(series) > 1 else "it has"
    return f"{whose} {steps:,} steps{at}"


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
