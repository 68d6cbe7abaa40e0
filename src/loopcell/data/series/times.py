"""Times of series: the step from one to the next, with gaps and duplicates named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.series.frequency import (
    HOUR,
    JITTER,
    ambiguous,
    distance_from,
    most_frequent,
    moved_to,
    perfect_step,
)
from loopcell.data.series.jitter import usual_step
from loopcell.data.series.showing import shown, summer_hint
from loopcell.data.series.stamps import Stamps, read_stamps
from loopcell.data.series.steps import DAY, Clock, Step, Times
from loopcell.data.series.zones import has_changes, instants, is_left_out, offset_at, wall, zones_that
from loopcell.errors import DataError

FEW = 6  # times tell no day of a month against what is known
SLIGHT = 1e-6  # of a step
SAMPLE = 48  # times at which a zone is tried before all are

Namer = Callable[[int], str]


class Regular(NamedTuple):
    """The step of times; None for fewer than two of them; and what the user should know of it."""

    step: Step | None
    notes: tuple[str, ...] = ()


def read_times(cells: Sequence[Any]) -> Times:
    """Turn time stamps into an array.

    Args:
        cells: ISO 8601 texts (`2016-07-01 13:00`, `1949-01`, `20240131`), dates, datetimes, or numbers. Times with a
            zone become UTC; whole numbers that all are dates (20240131, 202401) are read as such.

    Returns:
        datetime64[us] (or [ns], where microseconds do not tell them apart), int64 or float64, `[T]`.

    Raises:
        DataError: one is missing or cannot be read, or some have a zone and others none; the message names file and
            row.
    """
    return read_stamps(cells).times


def regular_step(times: Times, named: Namer) -> Step | None:
    """Find the step of times that rise evenly; None for fewer than two of them.

    Args:
        times: `[T]`.
        named: gives the file and row of a time, for errors.

    Raises:
        DataError: a time comes twice, goes back, or is not one step after the one before; the message names it, and the
            time of a gap.
    """
    return find_step(Stamps(times), named).step


def find_step(stamps: Stamps, named: Namer, like: Step | None = None) -> Regular:
    """Find the step of times that rise evenly, in hours or in the calendar of their zone.

    Args:
        stamps: times and their zone.
        named: gives the file and row of a time, for errors.
        like: what is known of the series already; where it explains the times, it is their step.

    Raises:
        DataError: as `regular_step`.
    """
    times, zone = stamps.times, stamps.zone
    check_rising(times, named, zone)
    if len(times) < 2:
        return _of_one_time(times, zone, like)
    if like is not None:
        known = _as_known(times, zone, like)
        if known is not None:
            return known
    step = perfect_step(times, zone)
    if step is not None:
        return Regular(step, _doubts(times, step))
    guessed = _step_elsewhere(times, zone)
    if guessed is not None:
        return guessed
    step, notes = usual_step(times, zone, named)
    hidden = _left_out_elsewhere(times, step, named) if zone is None else None
    return Regular(step, tuple(notes) if hidden is None else (hidden,))


def _of_one_time(times: Times, zone: str | None, like: Step | None) -> Regular:
    """Return what is known of a series' step from the place of its only time."""
    step = like if like is None or not len(times) else moved_to(like, times, zone)
    return Regular(step, () if step is None or step is like else _doubts(times, step))


def _doubts(times: Times, step: Step) -> tuple[str, ...]:
    note = ambiguous(times, step)
    return (note,) if note else ()


def _as_known(times: Times, zone: str | None, like: Step) -> Regular | None:
    """Return the known step of a series where its times are as good as on it; or the same from other places."""
    exact = perfect_step(times, zone, like)
    away = distance_from(times, like)
    few = len(times) < FEW and exact is not None and exact.calendar
    if exact is not None and (exact is like or away > JITTER or not few):
        return Regular(exact, () if exact is like else _doubts(times, exact))
    if away > JITTER:
        return None
    note = f"times are up to {100 * away:.2g}% of a step ({like}) from those that were read before"
    return Regular(like, () if like.jitters or away < SLIGHT else (note,))


def check_rising(times: Times, named: Namer, zone: str | None = None) -> None:
    """Refuse times of which one comes twice or goes back; DataError names it."""
    differences = np.diff(times)
    wrong = np.flatnonzero(differences <= np.zeros(1, differences.dtype)[0])
    if not len(wrong):
        return
    at = int(wrong[0]) + 1
    hint = summer_hint(times[at - 1], times[at], zone)
    if times[at] == times[at - 1]:
        raise DataError(
            f"{named(at)}: the time {shown(times[at], zone)} is there twice (also {named(at - 1)}); if these are "
            f"several series, name the column that tells them apart (series=){hint}"
        )
    raise DataError(
        f"{named(at)}: the time goes back, from {shown(times[at - 1], zone)} to {shown(times[at], zone)}; sort the "
        f"rows by time{hint}"
    )


def _step_elsewhere(times: Times, zone: str | None) -> Regular | None:
    """Return the step on the clock of a zone that nobody named, where times in UTC or without a zone are even there."""
    if times.dtype != np.dtype("datetime64[us]") or has_changes(zone) or len(times) < 3:
        return None
    differences = np.diff(times).astype(np.int64)
    one_time = len(np.unique(times.astype(np.int64) % DAY)) == 1
    if one_time or np.median(differences) < HOUR or int(np.gcd.reduce(differences)) % (HOUR // 4):
        return None  # clocks are set forward and back by whole quarters of an hour
    names = _zones_of_one_time(times)
    found = next(((name, step) for name in names if (step := perfect_step(times, name)) is not None), None)
    if found is None or found[1].rule is None:
        return None
    name, step = found
    others = f" (and of {len(names) - 1} more zones)" if len(names) > 1 else ""
    what = "the times" if zone else "the times, taken as UTC,"
    note = (
        f"{what} are even on the clocks of {name}{others}, every {step}: forecasts go on by the summer time of {name}, "
        "unless another zone is named (zone=)"
    )
    return Regular(step, (note,))


def _left_out_elsewhere(times: Times, step: Step, named: Namer) -> str | None:
    """Return a sentence on times without a zone that are even but for those that clocks of a zone show later."""
    if times.dtype != np.dtype("datetime64[us]") or not isinstance(step.rule, Clock) or step.size % DAY:
        return None
    even = step.rule.at(step.rule.index(times))
    late = np.flatnonzero(even != times)
    clocks = [int(time) for time in even[late[: SAMPLE // 2]].astype("datetime64[s]").astype(np.int64)]

    def fits(zone: str) -> bool:
        around = ((offset_at(clock - 86_400, zone), offset_at(clock + 86_400, zone)) for clock in clocks)
        return all(before < after for before, after in around)

    zone = next((name for name in zones_that(fits) if np.array_equal(wall(instants(even, name), name), times)), None)
    if zone is None:
        return None
    first = int(late[0])
    many = f"{len(late):,} of {len(times):,} are" if len(late) > 1 else f"1 of {len(times):,} is"
    return (
        f"the times are every {step}, and {many} later (the first is {shown(times[first])}, {named(first)}), where "
        f"clocks in zones like {zone} are set forward: forecasts go by them if the zone is named (zone={zone!r})"
    )


def _zones_of_one_time(times: Times) -> tuple[str, ...]:
    """Return zones in which some of the times, those around uneven distances among them, are at one time of the day.

    On a day whose clocks leave out that time, it is the one that they show in its place.
    """
    seconds = times.astype("datetime64[s]").astype(np.int64)
    uneven = np.flatnonzero(np.diff(seconds) % 86_400)[: SAMPLE // 2]
    even = np.linspace(0, len(times) - 1, SAMPLE // 2).astype(np.int64)
    tried = np.unique(np.concatenate([uneven, uneven + 1, even]))
    return _zones_at(tuple(seconds[tried].tolist()))


@lru_cache(maxsize=64)  # the series of a table often have the same times
def _zones_at(seconds: tuple[int, ...]) -> tuple[str, ...]:
    def fits(zone: str) -> bool:
        offsets = [offset_at(time, zone) for time in seconds]
        usual = most_frequent(np.array([time + offset for time, offset in zip(seconds, offsets, strict=True)]) % 86_400)
        return all(
            not (late := (time + offset - usual) % 86_400) or is_left_out(time, offset - late, zone)
            for time, offset in zip(seconds, offsets, strict=True)
        )

    return tuple(zones_that(fits))
