"""Times that no rule of the calendar explains exactly: near a rule, jitter around a step, or an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from loopcell.data.series.frequency import (
    HOUR,
    JITTER,
    SECOND,
    Fit,
    elapsed_fit,
    fits_of,
    perfect_step,
)
from loopcell.data.series.showing import shown, summer_hint
from loopcell.data.series.steps import DAY, Clock, Monthly, Step, Times, Weekdays
from loopcell.data.series.zones import instants, wall
from loopcell.errors import DataError

MICROS = np.dtype("datetime64[us]")
FINER = (SECOND, 60 * SECOND, HOUR)  # what jitter is rounded off to, to see whether the calendar explains the rest
FILL_GAPS = ", let them be rows without values (fill_gaps=True)"  # in the sentence about a gap


def usual_step(times: Times, zone: str | None, named: Callable[[int], str]) -> tuple[Step, list[str]]:
    """Return the step of times that no rule explains, and a sentence about it.

    Raises:
        DataError: they are not even at all; the message names the first place, and the time of a gap.
    """
    found = _rounded(times, zone) if times.dtype == MICROS else None
    if found is not None:
        step, grid = found
        return step, _jitter(np.abs((times - grid).astype(np.float64)), step, named)
    fits = list(fits_of(times, zone))
    months = [fit for fit in fits if fit.step.calendar and not len(fit.wrong) and _near(times, fit)]
    if months:
        best = min(months, key=lambda fit: int(fit.off.sum()))
        return best.step, [_off_the_rule(times, best, zone, named)]
    elapsed = elapsed_fit(times)
    if not len(elapsed.wrong):
        unit = 1e-3 if times.dtype == np.dtype("datetime64[ns]") else 1.0
        away = np.abs(np.diff(times).astype(np.float64) * unit - elapsed.step.size)
        return _on_a_grid(times, elapsed.step), _jitter(np.concatenate([[0.0], away]), elapsed.step, named)
    best = min([fit for fit in fits if fit.exact] + [elapsed], key=lambda fit: len(fit.wrong))
    raise _irregular(times, best, zone, named)


def _rounded(times: Times, zone: str | None) -> tuple[Step, Times] | None:
    """Return the step of times rounded to whole seconds, minutes, hours or days, where that is even, and such times."""
    clock = wall(times, zone).astype(np.int64)
    for unit in FINER:
        grid = instants(((clock + unit // 2) // unit * unit).astype(MICROS), zone)
        step = _even(grid, zone)
        if step is not None and _all_near(times, grid, step):
            return step, grid
    days = (clock // DAY * DAY).astype(MICROS)
    step = _even(instants(days, zone), zone)
    if step is None:
        return None
    late = _typical(clock % DAY)
    grid = instants(days + np.timedelta64(late, "us"), zone)
    return (_later(step, late), grid) if _all_near(times, grid, step) else None


def _even(grid: Times, zone: str | None) -> Step | None:
    """Return the step of rounded times, from their places."""
    if (np.diff(grid).astype(np.int64) <= 0).any():
        return None
    step = perfect_step(grid, zone)
    if step is None or step.rule is not None:
        return step
    return Step(step.size, rule=Clock(int(step.size), int(grid[0].astype(np.int64)) % int(step.size)))


def _all_near(times: Times, grid: Times, step: Step) -> bool:
    return bool((np.abs((times - grid).astype(np.float64)) <= JITTER * step.micros).all())


def _later(step: Step, late: int) -> Step:
    """Return a step of midnights, at a time of the day."""
    rule = step.rule
    assert isinstance(rule, Clock | Monthly | Weekdays)
    if isinstance(rule, Clock):
        return replace(step, rule=Clock(rule.size, (rule.phase + late) % rule.size))
    return replace(step, rule=replace(rule, time=late))


def _typical(values: npt.NDArray[np.int64]) -> int:
    """Return the median of times; a round number that it cannot be told from."""
    middle, unsure = float(np.median(values)), 3 * float(values.std()) / np.sqrt(len(values))
    round_ones = [round(middle / unit) * unit for unit in (HOUR, 60 * SECOND, SECOND)]
    return next((one for one in round_ones if abs(one - middle) <= unsure), round(middle))


def _on_a_grid(times: Times, step: Step) -> Step:
    """Return the same step, from the places around which times jitter; as it is, where their deviations add up."""
    size = round(step.size)
    if times.dtype != np.dtype("datetime64[us]") or size != step.size:
        return step
    since = times.astype(np.int64)
    away = (since - since[0] + size // 2) % size - size // 2
    middle, most = float(np.median(away)), float(np.abs(away - np.median(away)).max())
    if (
        most > JITTER * size
        or most <= step.grain
        or (np.diff((since - since[0] - middle + size / 2) // size) != 1).any()
    ):
        return step
    phase, unsure = (int(since[0]) + middle) % size, 3 * float(away.std()) / np.sqrt(len(away))
    round_ones = [round(phase / unit) * unit for unit in (size, HOUR, HOUR // 60, SECOND, 1000)]
    chosen = next((one for one in round_ones if abs(one - phase) <= unsure), round(phase))
    return Step(step.size, rule=Clock(size, chosen % size))


def _near(times: Times, fit: Fit) -> bool:
    """Return whether all times are within a share of a step from the rule's places."""
    away = np.abs((times - _expected(times, fit)).astype(np.float64))
    return bool((away <= JITTER * fit.step.size * 30 * DAY).all()) and 2 * int(fit.off.sum()) < len(times)


def _expected(times: Times, fit: Fit) -> Times:
    rule, zone = fit.step.rule, fit.step.zone
    assert rule is not None
    return instants(rule.at(rule.index(wall(times, zone))), zone)


def _off_the_rule(times: Times, fit: Fit, zone: str | None, named: Callable[[int], str]) -> str:
    assert isinstance(fit.step.rule, Monthly)
    at = int(np.flatnonzero(fit.off)[0])
    many = f"{int(fit.off.sum()):,} of {len(times):,} times are not"
    return (
        f"the times are every {fit.step}, at {fit.step.rule.places[0]}, and {many} (the first is "
        f"{shown(times[at], zone)}, {named(at)}): forecasts go on at {fit.step.rule.places[0]}"
    )


def _jitter(away: npt.NDArray[np.float64], step: Step, named: Callable[[int], str]) -> list[str]:
    """Return a sentence about times that are away from their step, in microseconds or as numbers."""
    at = int(away.argmax())
    if away[at] <= (1.0 if step.clock else 1e-6 * step.size):  # microseconds: stamps are rounded to them
        return []
    far = str(Step(float(f"{away[at]:.3g}"), clock=step.clock))
    note = (
        f"the times are not even, and no rule of the calendar explains them: a step is taken as {step}, from which "
        f"they differ by up to {far} ({named(at)})"
    )
    return [note]


def _irregular(times: Times, fit: Fit, zone: str | None, named: Callable[[int], str]) -> DataError:
    step, wrong = fit.step, fit.wrong
    at = int(wrong[0]) + 1
    missing = round(float(fit.distances[at - 1]) / step.size) - 1
    between = f"{shown(times[at - 1], zone)} and {shown(times[at], zone)}"
    if missing >= 1:
        what = f"a gap: between {between} {missing:,} time{'s are' if missing > 1 else ' is'} missing"
    else:
        what = f"an uneven time: {between} are not one step apart"
    more = f"; there are {len(wrong):,} such places" if len(wrong) > 1 else ""
    hint = summer_hint(times[at - 1], times[at], zone)
    rows = FILL_GAPS if missing >= 1 else ""
    return DataError(
        f"{named(at)}: {what} (the usual step is {step}){more}. Fill them{rows}, or say regular=False to count rows as "
        f"steps{hint}"
    )
