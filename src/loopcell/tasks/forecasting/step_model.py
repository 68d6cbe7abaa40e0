"""A forecaster as one step: the newest values in, the forecast of the steps that follow out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.examples import Scale
from loopcell.equations import Value, maximum, minimum, sized, total
from loopcell.errors import UsageError
from loopcell.export.step_model import (
    Delay,
    Equations,
    Join,
    Output,
    Quantity,
    Stage,
    StepModel,
    formula,
    layer_stages,
)
from loopcell.export.step_model.formulas import scale_stage
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.core.networks.ensemble import Ensemble
from loopcell.tasks.core.step_models.heads import units_stage
from loopcell.tasks.core.step_models.step_input import as_scale
from loopcell.tasks.forecasting.heads import Mean, Quantiles
from loopcell.tasks.forecasting.network import ForecasterNetwork

NO_GAPS = "a missing value (NaN) is not carried on, as predict does: give the step what stands for it"
FOLLOWS = "quantiles are those of training: they do not follow the values that come (adapt_rate), as predict's do"


def chosen_series(names: Sequence[str], asked: str | None) -> int:
    """Return the place of the series that a step is for.

    Args:
        names: of those that training had.
        asked: the name of one; None for the only one.

    Raises:
        UsageError: there is none of that name, or there are several and none is named.
    """
    if asked is None and len(names) == 1:
        return 0
    if asked is not None and asked in names:
        return list(names).index(asked)
    known = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    said = f"there is none of the name {asked!r}" if asked is not None else "a step is on the scale of one of them"
    raise UsageError(f"training had {len(names)} series, {known}, and {said}: name it with series=")


class TargetColumn(NamedTuple):
    """A target as the network reads it: its newest value, and the last d relative to that."""

    newest: Quantity
    relative: Quantity


def forecaster_step(network: Any, targets: Sequence[str], scale: Scale, *, follows: bool) -> StepModel:
    """Return the step of a forecaster that looks ahead directly.

    Args:
        network: trained.
        targets: the names of the K targets.
        scale: of the series, [K].
        follows: whether the model's quantiles follow what comes.

    Raises:
        UsageError: the network reads more than the targets, or not step by step.
    """
    _demand_step(network)
    given = Quantity("values", len(targets))
    stages: list[Stage] = [scale_stage("scaled", given, *as_scale(scale))]
    columns = [_column(stages, number, len(targets), network.lags) for number in range(len(targets))]
    outputs: list[Output] = []
    for row, own in enumerate([columns] if network.multivariate else [[one] for one in columns]):
        end = "" if network.multivariate or len(columns) == 1 else f"{row + 1}_"
        joined = Quantity(f"read{end.rstrip('_')}", sum(one.relative.size + 1 for one in own))
        stages.append(Join(joined, tuple(name for one in own for name in (one.relative.name, one.newest.name))))
        layers = layer_stages(network.recurrent, joined, name=f"layer{end}")
        stages += layers
        for place, column in enumerate(own):
            number = row + place
            said = [_number(network, layers[-1].gives, column, (place, which), number) for which in _numbers(network)]
            stages += said
            outputs += _in_units(stages, network, said, number, targets[number], scale)
    early = f"the first {network.history - 1:,} answers are of fewer steps than predict waits for: leave them out"
    notes = (early, NO_GAPS, *((FOLLOWS,) if network.head_kind.levels and follows else ()))
    facts = {"columns": list(targets), "history": network.history}
    return StepModel("forecaster", (given,), tuple(stages), tuple(outputs), facts, notes)


def _demand_step(network: Any) -> None:
    if isinstance(network, Ensemble):
        raise UsageError("this forecaster is an ensemble of networks, which have no common step: fit one, ensemble=1")
    if not isinstance(network, ForecasterNetwork):
        raise UsageError("this forecaster reads whole windows (segment), so it has no step: fit one without segment")
    sizes = network.sizes
    if sizes.known or sizes.past:
        raise UsageError("this forecaster reads covariates, which a step model is not given: fit one without")
    if network.told or network.asked:
        raise UsageError(
            "this forecaster is told of missing values, which a step model is not: fit one on a series without gaps"
        )
    if not isinstance(network.head_kind, Mean | Quantiles):
        raise UsageError("a step gives means and quantiles that were learned: fit with head='mean' or 'quantiles'")


def _column(stages: list[Stage], number: int, columns: int, lags: int) -> TargetColumn:
    """Add what cuts a target out of the values, and keeps its last d."""
    newest = Quantity(f"newest{number + 1}", 1)
    place = {"place.column": np.eye(1, columns, number, dtype=np.float32)}
    sizes = {"input": columns, "column": 1}
    stages.append(Equations(newest, formula(_cut), sizes, place, {"x": "scaled"}))
    recent = Quantity(f"recent{number + 1}", lags)
    stages.append(Delay(recent, lags, newest.name))
    relative = Quantity(f"relative{number + 1}", lags)
    read = {"x": recent.name, "newest": newest.name}
    graph = formula(_less, {"newest": "one"})
    doc = "the last values relative to the newest"
    stages.append(Equations(relative, graph, {"input": lags, "one": 1}, {}, read, doc))
    return TargetColumn(newest, relative)


def _cut(x: Any, *, place: Any) -> Any:
    return sized(place.column @ x, "column")


def _less(x: Any, newest: Any) -> Any:
    return x - total(newest)


def _ahead(x: Any, relative: Any, newest: Any, *, context: Any, straight: Any) -> Any:
    place = total(newest) + straight.weight @ relative + straight.bias
    return sized(context.weight @ x + context.bias + place, "ahead")


def _numbers(network: Any) -> range:
    return range(network.head_kind.numbers)


def _number(network: Any, reads: Quantity, column: TargetColumn, place: tuple[int, int], target: int) -> Equations:
    """Return the stage of one of the n numbers that are said of each value to come, [f].

    Args:
        network: the forecaster's.
        reads: the output of the last layer.
        column: the target.
        place: the number of the column in a row of the network, and that of the number.
        target: the number of the target.
    """
    steps, numbers = network.steps, network.head_kind.numbers
    rows = np.arange(steps) * network.columns * numbers + place[0] * numbers + place[1]
    learned = {
        "context.weight": as_floats(network.context.weight)[rows],
        "context.bias": as_floats(network.context.bias)[rows],
        "straight.weight": as_floats(network.straight.weight),
        "straight.bias": as_floats(network.straight.bias),
    }
    sizes = {"input": reads.size, "relative": column.relative.size, "one": 1, "ahead": steps}
    read = {"x": reads.name, "relative": column.relative.name, "newest": column.newest.name}
    graph = formula(_ahead, {"relative": "relative", "newest": "one"})
    said = "the mean" if not place[1] else f"quantile {network.head_kind.levels[place[1] - 1]:g}"
    return Equations(
        Quantity(f"said{target + 1}_{place[1]}", steps), graph, sizes, learned, read, f"{said}, as learned"
    )


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

    def settled(moved: Any, values: list[Any]) -> Any:
        mean, *rest = values
        rest = _in_order([value + getattr(moved, f"q{at}") for at, value in enumerate(_in_order(rest))])
        if rank is not None:
            return rest[rank]
        return minimum(maximum(mean, rest[0]), rest[-1]) if inside else mean * 1.0

    used = rank is not None or inside
    reads = said if used else said[:1]
    graph = formula(_with_arguments(settled, names[: len(reads)]))
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


def _with_arguments(settled: Any, names: list[str]) -> Any:
    """Return a function of so many inputs that passes them on as a list; equations are read by the names of inputs."""
    import inspect

    def equations(*values: Value, moved: Any) -> Any:
        return settled(moved, list(values))

    kinds = inspect.Parameter
    inputs = [kinds(name, kinds.POSITIONAL_OR_KEYWORD) for name in names]
    equations.__signature__ = inspect.Signature([*inputs, kinds("moved", kinds.KEYWORD_ONLY)])  # type: ignore[attr-defined]
    return equations
