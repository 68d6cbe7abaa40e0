"""The step of times that the calendar explains exactly; what it does not explain is in `jitter.py`.

Written on numpy's business days and Python's `zoneinfo`, not on pandas' offsets: a model that forecasts needs no pandas
then, and pandas has no "day 30, or the last of a shorter month" and no rule that goes on from what it inferred.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.series.months import BUSINESS, LAST, Place, places_of
from loopcell.data.series.steps import DAY, MOST_PLACES, Clock, Ints, Monthly, Rule, Step, Times, Weekdays
from loopcell.data.series.zones import has_changes, instants, wall

Floats = npt.NDArray[np.float64]

JITTER = 0.1  # of a step, by which times may be off
MONTH = 27 * DAY  # from here on a step may be months
HOUR = DAY // 24
SECOND = 1_000_000
WEEKS_TO_TELL = 3  # days of the week other than Monday to Friday have to be seen for so long


class Fit(NamedTuple):
    """The quality with which a step explains times.

    Attributes:
        step: it.
        distances: [T - 1], of neighbouring times, in the unit of its size.
        off: [T], which times stand elsewhere than its rule says.
    """

    step: Step
    distances: Floats
    off: npt.NDArray[np.bool_]

    @property
    def exact(self) -> bool:
        """True if all times stand at places of the rule."""
        return not self.off.any()

    @property
    def wrong(self) -> Ints:
        """The distances that are not one step."""
        return np.flatnonzero(np.abs(self.distances - self.step.size) > JITTER * self.step.size)

    @property
    def perfect(self) -> bool:
        """True if nothing is left to explain."""
        return self.exact and bool((self.distances == self.step.size).all())


def perfect_step(times: Times, zone: str | None, like: Step | None = None) -> Step | None:
    """Return the plainest step that explains times to the last microsecond; None where none does.

    Args:
        times: `[T]`, rising, at least 2.
        zone: on whose wall clock the calendar is read.
        like: only this very step will do, or one that counts the same as often.
    """
    if like is None:
        return next((fit.step for fit in fits_of(times, zone) if fit.perfect), None)
    if _fits(times, like):
        return like
    same = (fit for fit in fits_of(times, zone) if fit.step.same_kind(like) and fit.step.size == like.size)
    return next((fit.step for fit in same if fit.perfect), None)


def distance_from(times: Times, like: Step) -> float:
    """Return how far times [T] are from a step's at most, as a share of it; infinite where they are not one apart."""
    if like.clock != (times.dtype.kind == "M") or (like.rule is None and like.calendar):
        return float("inf")
    unit = 1e-3 if times.dtype == np.dtype("datetime64[ns]") else 1.0
    if like.rule is None:
        away = np.abs(np.diff(times).astype(np.float64) * unit - like.size)
        return float(away.max(initial=0.0) / like.size)
    index = like.rule.index(wall(times, like.zone))
    if (np.diff(index) != like.places).any():
        return float("inf")
    away = np.abs((times - instants(like.rule.at(index), like.zone)).astype(np.float64)) * unit
    return float(away.max() / like.micros)


def ambiguous(times: Times, step: Step) -> str | None:
    """Return a sentence where two days of the month explain times, and would go on differently."""
    if not isinstance(step.rule, Monthly) or step.rule.places != (Place(LAST),):
        return None
    days = wall(times, step.zone).astype("datetime64[D]")
    longest = int((days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64).max()) + 1
    other = Step(step.size, True, True, Monthly((Place(longest),), step.rule.time), step.zone)
    if longest == LAST or np.array_equal(step.after(times[-1], 60), other.after(times[-1], 60)):
        return None
    return f"every time is the last day of its month, and day {longest} too: forecasts go on at the last day"


def moved_to(like: Step, times: Times, zone: str | None) -> Step | None:
    """Return the step of other times, or of the same, from the place of one time; None where one has no such step."""
    if like.clock != (times.dtype.kind == "M"):
        return None
    rule = like.rule
    if (rule is None and not like.calendar) or distance_from(times, like) <= JITTER:
        return like
    here = wall(times, zone)
    date = here.astype("datetime64[D]")
    time = int((here - date).astype(np.int64)[0])
    moved: Rule | None = None
    if isinstance(rule, Clock):
        moved = Clock(rule.size, int(here.astype(np.int64)[0]) % rule.size)
    elif isinstance(rule, Weekdays):
        moved = Weekdays(rule.days, time) if np.is_busday(date, weekmask=rule.days)[0] else None
    elif rule is None or rule.each == 1:
        moved = Monthly((next(places_of(date)),), time)
    return None if moved is None else Step(like.size, like.calendar, True, moved, zone)


# --- candidates ----------------------------------------------------------------------------------------------------


def fits_of(times: Times, zone: str | None) -> Iterator[Fit]:
    """Yield all kinds of steps, each as near as it comes to the times; of two that explain them the first is meant."""
    elapsed = elapsed_fit(times)
    if times.dtype.kind != "M" or times.dtype != np.dtype("datetime64[us]"):
        yield elapsed
        return
    shown = wall(times, zone)
    usual = lower_median(np.diff(shown).astype(np.int64))
    days = shown.astype("datetime64[D]")
    time = most_frequent((shown - days).astype(np.int64))
    # A time that is left out is shown an hour later, and that is still the nearest place.
    clock = _ruled(times, zone, _clock(shown, usual)) if has_changes(zone) and usual > 2 * HOUR else ()
    if usual > MONTH:
        yield from _monthly(times, zone, days, time, plain=True)
    yield from chain(clock, [elapsed]) if usual % DAY == 0 else chain([elapsed], clock)
    if usual > MONTH:
        yield from _monthly(times, zone, days, time, plain=False)
    elif usual >= DAY // 2 and (np.diff(days).astype(np.int64) > 0).all():
        for mask in _masks(days):
            yield from _ruled(times, zone, Weekdays(mask, time))
        yield from _several_a_month(times, zone, days, time)


def elapsed_fit(times: Times) -> Fit:
    """Fit a constant time between neighbours: the usual distance where all are near it, refined by their mean."""
    kind = times.dtype.kind
    unit = 1e-3 if times.dtype == np.dtype("datetime64[ns]") else 1.0
    counts: npt.NDArray[Any] = np.diff(times).astype(np.float64 if kind == "f" else np.int64)
    usual = lower_median(counts)
    if kind == "f":
        same = bool(np.allclose(counts, usual, rtol=1e-6, atol=0))
        off = np.abs(counts - usual) > 1e-6 * abs(usual)
    else:
        same, off = bool((counts == usual).all()), counts % usual != 0
    size, grain = usual * unit, 0.0
    if off.any() or (kind == "f" and same):
        near = np.asarray(counts[np.abs(counts - usual) <= 2 * JITTER * usual] * unit, np.float64)
        size = _refined(near, usual * unit, clock=kind == "M")
        grain = float(np.gcd.reduce(counts)) * unit if kind == "M" else 0.0
    step = Step(size, clock=kind == "M", grain=grain)
    distances = np.full(len(counts), step.size) if same else np.asarray(counts * unit, np.float64)
    return Fit(step, distances, np.concatenate([[False], off]))


def _refined(near: Floats, usual: float, *, clock: bool) -> float:
    """Return the mean of distances; of time stamps a round number, or so many a second, where that fits as well."""
    mean = float(near.mean())
    if not clock:
        return usual if abs(mean - usual) < 1e-9 * abs(usual) else mean
    unsure = 2 * max(float(np.abs(np.cumsum(near - mean)).max()), float(np.abs(near - usual).max())) / len(near)
    round_ones = [round(mean / unit) * unit for unit in (DAY, HOUR, HOUR // 60, SECOND, 1000)]
    often = [SECOND / round(SECOND / mean)] if mean < SECOND else []
    return next((float(one) for one in round_ones + often if one and abs(one - mean) <= unsure), mean)


def _clock(shown: Times, usual: int) -> Rule:
    return Clock(usual, most_frequent(shown.astype(np.int64) % usual))


def _masks(days: Times) -> list[str]:
    """Return days of the week that may count: Monday to Friday, and those that were seen for some weeks."""
    counts = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7)
    seen = "".join("01"[bool(count)] for count in counts)
    span = int((days[-1] - days[0]).astype(np.int64))
    told = seen not in ("1111111", BUSINESS) and span >= 7 * WEEKS_TO_TELL and counts[counts > 0].min() >= 2
    business = [BUSINESS] if seen == BUSINESS or span > 7 else []  # one weekend alone may be a gap
    return [*business, seen] if told else business


def _monthly(times: Times, zone: str | None, days: Times, time: int, *, plain: bool) -> Iterator[Fit]:
    for place in places_of(days):
        if (not place.days) == plain:
            yield from _ruled(times, zone, Monthly((place,), time))


def _several_a_month(times: Times, zone: str | None, days: Times, time: int) -> Iterator[Fit]:
    """Yield the 1st and the 15th; the 15th and the last day."""
    months = days.astype("datetime64[M]")
    values, first, counts = np.unique(months, return_index=True, return_counts=True)
    each = int(counts.max())
    whole = first[counts == each]
    if not 2 <= each <= MOST_PLACES or len(values) < WEEKS_TO_TELL or len(whole) < len(values) - 2:
        return
    chosen = []
    for number in range(each):
        dates = days[whole + number]
        place = next(
            (one for one in places_of(dates) if (one.dates(dates.astype("datetime64[M]")) == dates).all()), None
        )
        if place is None:
            return
        chosen.append(place)
    yield from _ruled(times, zone, Monthly(tuple(chosen), time))


def _ruled(times: Times, zone: str | None, rule: Rule) -> Iterator[Fit]:
    """Fit a rule, with its usual number of places from time to time."""
    index = rule.index(wall(times, zone))
    counts = np.diff(index)
    places = int(lower_median(counts))
    if places < 1:
        return
    size = float(places * rule.size) if isinstance(rule, Clock) else places / rule.each
    step = Step(size, isinstance(rule, Monthly), True, rule, zone)
    yield _fit(times, step, index)


def _fit(times: Times, step: Step, index: Ints) -> Fit:
    assert step.rule is not None
    zone = step.zone
    off = wall(instants(step.rule.at(index), zone), zone) != wall(times, zone)
    return Fit(step, np.diff(index) * (step.size / step.places), off)


def _fits(times: Times, like: Step) -> bool:
    """Return whether a step explains times to the last microsecond."""
    if like.clock != (times.dtype.kind == "M"):
        return False
    if like.rule is None:
        elapsed = elapsed_fit(times)
        return not like.calendar and not like.grain and elapsed.step == like and elapsed.perfect
    fit = _fit(times, like, like.rule.index(wall(times, like.zone)))
    return fit.perfect


def lower_median(values: npt.NDArray[Any]) -> Any:
    """Return a value that there is; of two in the middle the smaller."""
    return np.sort(values)[(len(values) - 1) // 2].item()


def most_frequent(values: Ints) -> int:
    """Return the value that is there most often; of several the smallest."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])
