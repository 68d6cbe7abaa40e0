"""A forecaster as one step: the newest values in, the forecast of the steps that follow out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loopcell.data.examples import Scale
from loopcell.equations import maximum, minimum
from loopcell.errors import UsageError
from loopcell.export.step_model import Equations, Output, Quantity, Stage, StepModel, formula
from loopcell.export.step_model.formulas import with_inputs
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.core.networks.ensemble import Ensemble
from loopcell.tasks.core.step_models.heads import units_stage
from loopcell.tasks.forecasting.heads import Mean, Quantiles
from loopcell.tasks.forecasting.step_forecasts import forecast_stages
from loopcell.tasks.forecasting.step_reading import SeriesData, demand_step_model, series_step

FOLLOWS = "quantiles are those of training: they do not follow the values that come (adapt_rate), as predict's do"


def forecaster_step(network: Any, data: SeriesData, *, follows: bool) -> StepModel:
    """Return the step of a forecaster that looks ahead directly.

    Args:
        network: trained.
        data: what training found of the targets and of what is read beside them.
        follows: whether the model's quantiles follow what comes.

    Raises:
        UsageError: the network reads what a step is not given, or not step by step.
    """
    if isinstance(network, Ensemble):
        raise UsageError("this forecaster is an ensemble of networks, which have no common step: fit one, ensemble=1")
    demand_step_model(network, data.covariates, "forecaster")
    if not isinstance(network.head_kind, Mean | Quantiles):
        raise UsageError("a step gives means and quantiles that were learned: fit with head='mean' or 'quantiles'")
    step = series_step(network, data)
    forecasts, said = forecast_stages(network, step, network.head_kind.numbers)
    stages, outputs = [*step.stages, *forecasts], list[Output]()
    for target, (name, own) in enumerate(zip(data.targets, said, strict=True)):
        outputs += _in_units(stages, network, own, target, name, data.scale)
    early = f"the first {network.history - 1:,} answers are of fewer steps than predict waits for: leave them out"
    notes = (early, *step.notes, *((FOLLOWS,) if network.head_kind.levels and follows else ()))
    return StepModel("forecaster", step.inputs, tuple(stages), tuple(outputs), step.facts, notes)


# --- quantiles: sorted, moved by calibration, sorted again ---------------------------------------------------------


def _in_units(
    stages: list[Stage], network: Any, said: list[Equations], target: int, name: str, scale: Scale
) -> list[Output]:
    """Add what makes forecasts in the user's units of the numbers of a target; return these outputs."""
    steps, levels = said[0].gives.size, network.head_kind.levels
    shift = as_floats(network.shift)[:, target]  # [f, Q]
    means = [_settled(said, shift, None, f"mean{target + 1}", inside=_holds_mean(levels))]
    sorted_ = [_settled(said, shift, rank, f"quantile{target + 1}_{rank + 1}") for rank in range(len(levels))]
    outputs = []
    for one, level in zip([*means, *sorted_], ["", *(f"_{level:g}" for level in levels)], strict=True):
        mean, size = (np.full(steps, part[target]) for part in scale)
        given = units_stage(f"forecast_{one.gives.name}", one.gives, mean, size)
        stages += [one, given]
        outputs.append(Output(given.gives.name, tuple(f"{name}_t+{step}{level}" for step in range(1, steps + 1))))
    return outputs


def _holds_mean(levels: Sequence[float]) -> bool:
    return len(levels) > 0 and levels[0] < 0.5 < levels[-1]


def _settled(said: list[Equations], shift: Floats, rank: int | None, name: str, *, inside: bool = False) -> Equations:
    """Return a quantile by its rank after calibration, or the mean, kept inside of the outer ones."""
    names = [f"x{number}" for number in range(len(said))]

    def settled(values: list[Any], *, moved: Any) -> Any:
        mean, *rest = values
        rest = _in_order([value + getattr(moved, f"q{at}") for at, value in enumerate(_in_order(rest))])
        if rank is not None:
            return rest[rank]
        return minimum(maximum(mean, rest[0]), rest[-1]) if inside else mean * 1.0

    used = rank is not None or inside
    reads = said if used else said[:1]
    graph = formula(with_inputs(settled, names[: len(reads)]))
    learned = {f"moved.q{at}": np.ascontiguousarray(column) for at, column in enumerate(shift.T)} if used else {}
    size = said[0].gives.size
    read = dict(zip(names, (one.gives.name for one in reads), strict=False))
    doc = "the mean" if rank is None else "a quantile: sorted, moved as calibration found, sorted again"
    return Equations(Quantity(name, size), graph, {"input": size}, learned, read, doc)


def _in_order(values: list[Any]) -> list[Any]:
    """Sort vectors, number by number, by exchanging neighbours until all are in place."""
    found = list(values)
    for done in range(len(found), 1, -1):
        for at in range(done - 1):
            found[at], found[at + 1] = minimum(found[at], found[at + 1]), maximum(found[at], found[at + 1])
    return found
