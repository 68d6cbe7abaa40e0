"""Forecasts of more or fewer steps than a network gives at once.

Fewer are cut. More are forecast in blocks: what was forecast is read as if it had been observed, and the next block is
forecast from there. Quantiles do not follow such values, and each block's say how far it is off if the blocks before it
came true: they are too narrow, which a note says. A roll-out simply goes on, along its drawn paths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from loopcell.errors import UsageError
from loopcell.tasks.forecasting.scaled import ScaledSeries
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.forecasting.strategies import ForecastBatch, Places

MOST = 2**16  # steps


def demand_count(steps: int | None, settings: ForecasterSettings) -> int:
    """Return how many steps are asked for; None for the horizon.

    Raises:
        UsageError: it is no such number, or past covariates of steps beyond the horizon would be needed.
    """
    horizon = int(settings.horizon)
    if steps is None:
        return horizon
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MOST:
        raise UsageError(f"steps is a whole number from 1 to {MOST:,}, got {steps!r}")
    if steps > horizon and settings.past:
        raise UsageError(
            f"{steps} steps are more than the {horizon} of the horizon, and beyond it {settings.past[0]!r} would have "
            "to be known of steps that have not come: train with a longer horizon, or leave it out"
        )
    return steps


def further_note(count: int, settings: ForecasterSettings) -> list[str]:
    """Return a sentence about steps beyond the horizon of a model that gives all of these at once."""
    horizon = int(settings.horizon)
    if count <= horizon or settings.roll_out:
        return []
    told = f"steps {horizon + 1} to {count} are beyond the horizon of {horizon}"
    said = "" if settings.head == "mean" else "; their intervals do not know the errors of these, and are too narrow"
    return [f"{told}: they go by the forecasts before them as if these had come true{said}"]


def further(
    one: ScaledSeries, first: ForecastBatch, count: int, look: Callable[[ScaledSeries, Places], ForecastBatch]
) -> ForecastBatch:
    """Return the forecast of `count` steps.

    Args:
        one: the series, with as many steps to come.
        first: the forecast of f steps after those that have been, of one place.
        count: how many.
        look: forecasts f steps from a place of a series.
    """
    found, horizon = [first], first.mean.shape[1]
    while len(found) * horizon < count:
        values, end = one.values.copy(), one.steps + horizon
        values[one.steps : end] = found[-1].mean[0]
        one = replace(one, steps=end, values=values)
        found.append(look(one, np.array([end])))
    return ForecastBatch(*(np.concatenate([part[which] for part in found], 1)[:, :count] for which in (0, 1)))
