"""A user's series as the steps that an export takes, with the answers of the forecaster or detector itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.errors import DataError
from loopcell.export.step_model import OwnRun, StepCheck, StepModel
from loopcell.export.step_model.checks import MOST_STEPS
from loopcell.tasks.forecasting.scaled import of
from loopcell.tasks.forecasting.step_reading import chosen_series

Floats = npt.NDArray[np.float64]
PLACES = 4
"""At so many places of a series a forecaster is asked for its forecast."""


def series_check(
    model: Any, data: Any, series: str | None, run: Callable[[StepModel, Series, int], OwnRun]
) -> StepCheck:
    """Return the check of a model of series.

    Args:
        model: trained.
        data: a table, as its `predict` takes it.
        series: the name of the series; None for the only one of training.
        run: gives the model's own answers to so many steps of the series.

    Raises:
        DataError: the table has no such series, or too few steps without a gap.
    """
    name = model.names_[chosen_series(model.names_, series)]
    step = model.step_model(series=name)
    tables = [one for one in model._read_table(data) if one.name == name]  # noqa: SLF001 - of the same room
    if not tables:
        raise DataError(f"the data have no {of(name)}, whose step is exported")
    one = tables[0]
    ahead = model.network_.steps if one.known.shape[1] else 0
    last = one.steps - max(0, ahead - one.ahead)  # what comes after it is not known for all the steps of a forecast
    least = model.network_.history + model.network_.steps
    every = list[dict[str, npt.NDArray[np.float32]]]()
    for start, end in _without_gaps(one, max(last, 0)):
        count, whole = end - start, one if not start else one[start:]
        if not every and count < least:
            raise DataError(f"{of(name)} has {count} steps without a missing value, and a check needs {least}")
        every.append({"values": whole.target[:count].astype(np.float32), **_covariates(model, whole, count)})
    if not every:
        raise DataError(f"{of(name)} has 0 steps without a missing value, and a check needs {least}")
    count = min(len(every[0]["values"]), MOST_STEPS)
    inputs = {name: values[:count] for name, values in every[0].items()}
    return StepCheck(inputs, {"own offline": run(step, one, count)}, every=tuple(every))


def _without_gaps(one: Series, last: int) -> list[tuple[int, int]]:
    """Return where the runs of steps without a missing value begin and end; the first begins at once."""
    missing = np.flatnonzero(np.isnan(one.target[:last]).any(1)).tolist()
    cuts = zip([0, *(at + 1 for at in missing)], [*missing, last], strict=True)
    return [(start, end) for start, end in cuts if end > start or not start]


def _covariates(model: Any, one: Series, count: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return what a step is given beside the values: of the calendar as it is read, of the others in their units."""
    covariates = model.covariates_
    read = model._scaled(one)  # noqa: SLF001
    found = {}
    if covariates.of_known() or covariates.of_static():
        own = len(covariates.known)
        always = np.tile(one.static, (len(one), 1))
        known = np.concatenate([one.known, read.known[:, own : len(covariates.of_known())], always], axis=1)
        steps = model.network_.steps
        found["known"] = known[:count]
        found["ahead"] = np.stack([known[at + 1 : at + 1 + steps].ravel() for at in range(count)])
    if covariates.of_past():
        found["past"] = one.past[:count]
    return {name: values.astype(np.float32) for name, values in found.items()}


def forecast_run(model: Any, step: StepModel, one: Series, count: int) -> OwnRun:
    """Return what a forecaster says at some places of a series.

    Args:
        model: the forecaster.
        step: its step.
        one: the series.
        count: its first steps, which are looked at.
    """
    horizon = int(model.horizon)
    ends = np.unique(np.linspace(model.network_.history, count, PLACES).astype(np.int64))
    said = [model._forecast_after(_until(one, int(end), horizon), None, horizon)[0] for end in ends]  # noqa: SLF001
    answers: dict[str, Floats] = {}
    for target in range(len(model.targets_)):
        columns = [np.stack([forecast.mean[:, target] for forecast in said])]
        follows = model.adapt_rate > 0  # then predict's quantiles are not those of training, as a note says
        levels = 0 if follows else len(model.network_.head_kind.levels)
        columns += [np.stack([one.quantiles[:, target, level] for one in said]) for level in range(levels)]
        names = [
            f"forecast_mean{target + 1}",
            *(f"forecast_quantile{target + 1}_{at}" for at in range(1, len(columns))),
        ]
        answers |= dict(zip(names, columns, strict=True))
    known = {output.name for output in step.outputs}
    return OwnRun({name: value for name, value in answers.items() if name in known}, ends - 1)


def _until(one: Series, end: int, horizon: int) -> Series:
    """Return the first steps of a series, and where covariates are known ahead those of the steps to come."""
    if not one.known.shape[1]:
        return replace(one[:end], ahead=0)
    cut = one[: end + horizon]
    target = cut.target.copy()
    target[end:] = np.nan
    return replace(cut, target=target, ahead=len(cut) - end)


def detection_run(model: Any, one: Series, count: int) -> OwnRun:
    """Return the scores of a detector, and its alarms."""
    scores = model._scores(replace(one[:count], ahead=0))[:count]  # noqa: SLF001
    there = np.flatnonzero(np.isfinite(scores))
    there = there[there >= model.network_.history + model.network_.steps - 1]
    found = scores[there][:, None]
    return OwnRun({"score": found}, there)
