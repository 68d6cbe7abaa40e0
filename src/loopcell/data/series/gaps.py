"""Rows that are missing altogether: the places of times on the even ones that they would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.series.frequency import JITTER, moved_to
from loopcell.data.series.jitter import FILL_GAPS
from loopcell.data.series.showing import shown
from loopcell.data.series.stamps import Stamps
from loopcell.data.series.steps import DAY, Step, Times
from loopcell.data.series.times import FEW, Namer, check_rising, find_step
from loopcell.errors import DataError

Ints = npt.NDArray[np.int64]

GAP = 1.5  # usual distances between two times, from which on a row is missing between them
MOST = 100  # rows for each one that is there


class Filled(NamedTuple):
    """Even times; the places of the given ones among them; their step, and notes."""

    times: Times
    places: Ints
    step: Step | None
    notes: tuple[str, ...] = ()

    def spread(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Put rows [T, K] to their places; the others are missing, NaN."""
        if len(self.times) == len(values):
            return values
        found = np.full((len(self.times), values.shape[1]), np.nan)
        found[self.places] = values
        return found


def fill_gaps(stamps: Stamps, named: Namer, like: Step | None) -> Filled:
    """Return even times, of which some were given.

    The step is the one that is known, where it reaches all given times. Else it is the usual one of the calendar that
    does so with the fewest missing rows: that of the longest part without a gap, or business days.

    Args:
        stamps: rising times and their zone.
        named: gives the file and row of a time, for errors.
        like: what is known of the step.

    Raises:
        DataError: as `find_step`, where no step reaches all times.
    """
    every = np.arange(len(stamps.times))
    check_rising(stamps.times, named, stamps.zone)
    known = _on_known(stamps, like)
    try:
        found = find_step(stamps, named, like)
    except DataError as error:
        tried = [known] if known is not None else [_on(stamps.times, step) for step in _steps(stamps)]
        there = [one for one in tried if one is not None]
        if not there:
            raise DataError(str(error).replace(FILL_GAPS, "")) from error
        best = min(there, key=lambda one: len(one.times))
        return best._replace(notes=(_said(best, stamps.zone),))
    if known is not None and _is_filled(known):
        return known._replace(notes=(_said(known, stamps.zone),))
    return Filled(stamps.times, every, found.step, found.notes)


def filled_between(last: Any, times: Times, step: Step, zone: str | None) -> Filled | None:
    """Return times that go on after the last one, with those of the rows that are missing before them.

    None where none is missing, where the times are not on those of the step, or more than a hundred rows for each.
    """
    found = _on(np.concatenate([np.asarray([last]), times]), step)
    if found is None or len(found.times) == len(times) + 1:
        return None
    count = len(found.times) - len(times) - 1
    some = f"{count:,} rows are" if count > 1 else "1 row is"
    between = f"{shown(last, zone)} and {shown(times[0], zone)}"
    note = f"{some} missing between {between}: without values, as if empty"
    return Filled(found.times[1:], found.places[1:] - 1, step, (note,))


def _on_known(stamps: Stamps, like: Step | None) -> Filled | None:
    """Return times on those of the step that is known, from the place of the series; None where they are not there."""
    times, zone = stamps.times, stamps.zone
    if like is None or len(times) < 2 or like.clock != (times.dtype.kind == "M"):
        return None
    steps = (like, moved_to(like, times[:1], zone))
    return next((found for step in steps if step is not None and (found := _on(times, step)) is not None), None)


def _is_filled(known: Filled) -> bool:
    """Return whether rows are missing on a known step, of times that are even on another one.

    Many times that leave out every second row or more are not full of gaps: they have another step.
    """
    there, every = len(known.places), len(known.times)
    return there < every and (there < FEW or every < 2 * there - 1)


def _steps(stamps: Stamps) -> Iterator[Step]:
    """Yield steps that the times could have."""
    longest = _longest_part(stamps.times)
    days = _business_days(stamps.times)
    for times in (longest, days):
        try:
            found = find_step(stamps._replace(times=times), lambda at: f"time {at + 1}").step
        except DataError:
            continue
        if found is not None:
            yield found


def _longest_part(times: Times) -> Times:
    distances = np.diff(times).astype(np.float64)
    cuts = np.flatnonzero(distances > GAP * np.median(distances)) + 1
    return max(np.split(times, cuts), key=len)


def _business_days(times: Times) -> Times:
    """Return all business days of times that stand on such days alone, at one time of the day; else none."""
    if times.dtype.kind != "M" or len(np.unique(times.astype("datetime64[us]").astype(np.int64) % DAY)) > 1:
        return times[:0]
    days = times.astype("datetime64[D]")
    if not np.is_busday(days).all():
        return times[:0]
    every = np.arange(days[0], days[-1] + 1)
    return np.asarray(every[np.is_busday(every)].astype(times.dtype) + (times[0] - days[0]))


def _on(times: Times, step: Step) -> Filled | None:
    """Return times on the even ones of a step; None where one of them is not there."""
    size = step.micros if times.dtype.kind == "M" else step.size
    length: Any = times[-1] - times[0]
    span = float(length.astype("timedelta64[us]").astype(np.float64)) if times.dtype.kind == "M" else float(length)
    count = int(GAP * span / size) + MOST
    if count > MOST * (len(times) + GAP):
        return None
    grid = np.concatenate([times[:1], np.asarray(step.after(times[0], count)).astype(times.dtype)])
    grid = grid[: int(np.searchsorted(grid, times[-1])) + 1]
    after = np.searchsorted(grid, times).clip(1, len(grid) - 1)
    places = np.where(np.abs(times - grid[after - 1]) <= np.abs(times - grid[after]), after - 1, after)
    away = np.abs((times - grid[places]).astype(np.float64)) / np.diff(grid).astype(np.float64).min()
    if (away > JITTER).any() or (np.diff(places) < 1).any():
        return None
    grid[places] = times
    grid = grid[: int(places[-1]) + 1]  # a last time that is late has a place before it, not a row after it
    return Filled(grid, places, step)


def _said(found: Filled, zone: str | None) -> str:
    missing = np.setdiff1d(np.arange(len(found.times)), found.places)
    some = f"{len(missing):,} rows are" if len(missing) > 1 else "1 row is"
    return (
        f"{some} missing among {len(found.times):,} times every {found.step}, the first of "
        f"{shown(found.times[missing[0]], zone)}: without values, as if empty"
    )
