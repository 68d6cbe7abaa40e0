"""Look inside a network of forecasts while it reads one series: its steps are times, its traces the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from loopcell.data import Series
from loopcell.data.series import shown
from loopcell.errors import UsageError
from loopcell.insight import Inspection, LayerView, Prediction, look_inside
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.core.estimator.inspecting import MOST_TRACES, ensemble_notes
from loopcell.tasks.core.networks.ensemble import first_member
from loopcell.tasks.forecasting.network import ForecastNetwork, SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries
from loopcell.tasks.forecasting.strategies import ForecastBatch

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MEDIAN = 0.5


@dataclass(frozen=True)
class Said:
    """The model's words about the T steps of a series.

    Attributes:
        traces: numbers [T] beside the columns: forecasts, scores.
        predictions: of each step.
        predicted: what they are of: what comes "next", or what is "here".
        answer: what it says of the whole.
    """

    traces: Mapping[str, Floats]
    predictions: list[list[Prediction]]
    predicted: Literal["next", "here"]
    answer: list[Prediction] = field(default_factory=list)


def chosen(series: Sequence[Series], which: str | int | None) -> Series:
    """Return one series of a table: by its name, or its number from 0; None is the only one.

    Raises:
        UsageError: there is none of that name or number, or there are several and none was named.
    """
    names = [one.name for one in series]
    known = f"{', '.join(map(repr, names[:5]))}{' ...' if len(names) > 5 else ''}"
    if which is None:
        if len(series) > 1:
            raise UsageError(f"one series is looked at, and there are {len(series):,}: name it (series=), of {known}")
        return series[0]
    if isinstance(which, str):
        if which not in names:
            raise UsageError(f"there is no series {which!r}; there is {known}")
        return series[names.index(which)]
    if not 0 <= which < len(series):
        raise UsageError(f"there are {len(series):,} series, and number {which + 1:,} is asked for")
    return series[which]


def column_of(targets: Sequence[str], name: str | None) -> int:
    """Return the number of a target; of None that of the first.

    Raises:
        UsageError: there is none of that name.
    """
    if name is not None and name not in targets:
        raise UsageError(f"there is no target {name!r}; there is {', '.join(map(repr, targets))}")
    return 0 if name is None else targets.index(name)


def demand_steps(network: SeriesNetwork) -> ForecastNetwork:
    """Return a network that reads step by step, of an ensemble the first; UsageError: it has no state at each step."""
    first = first_member(network)
    if not isinstance(first, ForecastNetwork):
        raise UsageError("this network reads segments, and not step by step: there is no state of each step to look at")
    return first


def inspected(
    network: SeriesNetwork, one: ScaledSeries, column: int, said: Said, *, title: str, named: bool
) -> Inspection:
    """Return what happens inside a network while it reads a series.

    Args:
        network: it.
        one: the steps that have been, alone.
        column: the target that is read, where the network reads each on its own.
        said: what the model says.
        title: of the model.
        named: whether the target was asked for by its name.
    """
    names, several = one.series.target_names, len(one.series.target_names) > 1
    apart = several and not network.multivariate
    note = f"the layers read each target on its own, here {names[column]!r}"
    return Inspection(
        title=title,
        steps=[shown(time, one.series.zone) for time in one.series.times],
        layers=_layers(demand_steps(network), one, slice(column, column + 1) if apart else slice(None)),
        traces={**_columns(one.series), **said.traces},
        predictions=said.predictions,
        predicted=said.predicted,
        answer=said.answer,
        notes=(*ensemble_notes(network), *((note if named else f"{note}; target= names another",) if apart else ())),
    )


def _layers(network: ForecastNetwork, one: ScaledSeries, columns: slice) -> tuple[LayerView, ...]:
    numbers = np.concatenate([one.known, one.past], axis=1)
    values, covariates = (
        torch.from_numpy(part).unsqueeze(1).to(device_of(network)) for part in (one.values[:, columns], numbers)
    )
    return look_inside(network, lambda: network.read(values, covariates))


def _columns(series: Series) -> dict[str, Floats]:
    """Return the columns of a series [T] by name: targets, then covariates."""
    names = (*series.target_names, *series.known_names, *series.past_names)
    values = np.concatenate([series.target, series.known, series.past], axis=1)
    return {name or "value": values[:, column] for column, name in enumerate(names[:MOST_TRACES])}


def of_next(one: ScaledSeries, column: int, places: Places, found: ForecastBatch, levels: tuple[float, ...]) -> Said:
    """Return what forecasts of the next step say at each of the steps before: the median, or the mean without one.

    Args:
        one: the steps that have been, and where it is forecast the one to come.
        column: the target.
        places: rising, [N]: the steps that are forecast, each after all before it were read.
        found: the forecasts of places, in the units of the series.
        levels: of the quantiles; the outer ones are traces too.
    """
    name, steps = one.series.target_names[column], one.steps
    of_levels = {level: found.quantiles[:, 0, column, at] for at, level in enumerate(levels)}
    outer = [level for level in dict.fromkeys((*levels[:1], *levels[-1:])) if level != MEDIAN]
    courses = {f"{name} forecast": of_levels.get(MEDIAN, found.mean[:, 0, column])}
    courses |= {f"{name} {level:.0%}": of_levels[level] for level in outer}
    traces = {key: np.full(steps, np.nan) for key in courses}
    inside = places < steps
    for key, values in courses.items():
        traces[key][places[inside]] = values[inside]
    predictions: list[list[Prediction]] = [[] for _ in range(steps)]
    for place, value in zip(places.tolist(), courses[f"{name} forecast"].tolist(), strict=True):
        predictions[place - 1] = [Prediction(f"{value:.5g}")]
    return Said(traces, predictions, "next", [] if inside.all() else [_of_the_last(one.series, steps, courses)])


def _of_the_last(series: Series, steps: int, courses: Mapping[str, Floats]) -> Prediction:
    """Return in words what is forecast of the step after the last one that has been."""
    time = series.times[steps]
    when = shown(time, series.zone) if time == time else "the next step"  # noqa: PLR0124 - not NaT or NaN
    return Prediction(f"{when}: " + ", ".join(f"{name} {values[-1]:.5g}" for name, values in courses.items()))
