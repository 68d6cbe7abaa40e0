"""ScaledSeries: a time series as the network reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.examples import Scale
from loopcell.data.series import shown
from loopcell.errors import DataError
from loopcell.tasks.forecasting.covariates import Read, demand_known

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ScaledSeries:
    """One series of T steps, of which the last ones may be to come.

    Attributes:
        series: in the user's units; values that are to come are NaN.
        steps: how many of the steps have been, at the beginning.
        scale: of the targets.
        values: float32 [T, K], the targets that have been, on the scale; NaN where missing, zero where to come.
        known: float32 [T, P], covariates known ahead, with those of the calendar.
        past: float32 [T, Q], covariates known up to now; zero where they are to come.
        newest: float64 [...], the newest number of each covariate that is a column, for the rows that follow.
    """

    series: Series
    steps: int
    scale: Scale
    values: Floats32
    known: Floats32
    past: Floats32
    newest: Floats

    def __len__(self) -> int:
        return len(self.values)


def with_future(series: Series, steps: int, count: int) -> Series:
    """Return a series of which `steps` have been, with `count` steps after; what is not known of them is NaN.

    Raises:
        DataError: covariates that are known ahead are not given for all of them.
    """
    there = len(series) - steps
    demand_known(series, steps, count, of(series.name))
    if there >= count:
        return series[: steps + count]
    if series.known_names:
        raise DataError(
            f"{of(series.name)}: a forecast of {count} steps needs {', '.join(map(repr, series.known_names))} of all "
            f"of them: rows to come, whose target is empty, after the last one that has one; there are {there}, add "
            f"{count - there} more"
        )
    more = _times_to_come(series, count - there)

    def longer(values: Floats) -> Floats:
        return np.concatenate([values, np.full((len(more), values.shape[1]), np.nan)])

    times = np.concatenate([series.times, more])
    return replace(
        series,
        times=times,
        target=longer(series.target),
        known=longer(series.known),
        past=longer(series.past),
        ahead=count,
    )


def with_next(series: Series, steps: int, *, calendar: bool) -> Series:
    """Return a series of which `steps` have been, with the one to come where enough is known of it.

    Args:
        series: in the user's units.
        steps: how many have been.
        calendar: whether the time of the step to come has to be known.
    """
    timed = series.step is not None or not calendar
    known = len(series) > steps or (timed and not series.known_names)
    return with_future(series, steps, 1) if known else series[:steps]


def _times_to_come(series: Series, count: int) -> npt.NDArray[Any]:
    """Return the times after the last one; NaT or NaN where no step is known: rows are steps whatever their times."""
    if series.step is not None:
        return series.future_times(count)
    if series.times.dtype.kind == "M":
        return np.full(count, np.datetime64("NaT"), series.times.dtype)
    return np.full(count, np.nan)


def scaled(series: Series, scale: Scale, covariates: Callable[[Series], Read]) -> ScaledSeries:
    """Put a series on its scale.

    Args:
        series: steps to come at its end, if they are to be known.
        scale: of the targets.
        covariates: reads those of a series.

    Raises:
        DataError: a number is too far from those of training; or as `covariates`.
    """
    steps, read = series.steps, covariates(series)
    values = _demand_small(series, _cut(scale.apply(series.target), steps))
    return ScaledSeries(series, steps, scale, values, read.known, read.past, read.newest)


def demand_history(one: ScaledSeries, history: int) -> None:
    """Refuse a series that has fewer steps than a model reads before it says anything."""
    if one.steps < history:
        raise DataError(
            f"{of(one.series.name)} has {one.steps} steps, and the model reads {history} before it says anything "
            "(history)"
        )


def named(series: Series, at: int) -> str:
    """Return a step of a series, as an error names it."""
    return f"{of(series.name)} at {shown(series.times[at], series.zone)}"


def of(name: str) -> str:
    """Return a series, as an error names it."""
    return f"series {name!r}" if name else "the series"


def _demand_small(series: Series, values: Floats32) -> Floats32:
    """Refuse values so far from the others that float32 has no number for them; DataError names the first one."""
    wrong = np.argwhere(np.isinf(values))
    if len(wrong):
        at, column = wrong[0]
        raise DataError(
            f"{named(series, int(at))}: {series.target_names[column]!r} is {series.target[at, column]:g}, which is too "
            "far from the values of training to be read"
        )
    return values


def _cut(values: npt.NDArray[np.floating[Any]], steps: int) -> Floats32:
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    found[steps:] = 0.0
    return found
