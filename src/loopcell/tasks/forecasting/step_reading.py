"""The start of a step of a series: targets on their scale, relative to the newest, with covariates beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.examples import Scale
from loopcell.equations import total, where
from loopcell.errors import UsageError
from loopcell.export.step_model import Delay, Equations, Join, Quantity, Slice, Stage, formula, layer_stages
from loopcell.export.step_model.formulas import scale_stage
from loopcell.tasks.core.step_models.step_input import as_scale
from loopcell.tasks.forecasting.covariates import Covariates
from loopcell.tasks.forecasting.network import ForecastNetwork

NO_GAPS = "a missing value (NaN) is not carried on, as predict does: give the step what stands for it"
KNOWN = (
    "known and ahead have the numbers of the columns in the manifest, of this step and of the steps to come in order"
)


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


@dataclass(frozen=True)
class SeriesData:
    """The findings of training on the data.

    Attributes:
        targets: names of the K targets.
        scale: of the series, [K].
        covariates: what is read beside them.
        covariate_scale: of those of them that are columns, known, past and static.
    """

    targets: Sequence[str]
    scale: Scale
    covariates: Covariates
    covariate_scale: Scale


def data_of(model: Any, row: int) -> SeriesData:
    """Return what the training of a forecaster or a detector found of a series, by its number."""
    scale = Scale(*(part[row] for part in model.scales_["targets"]))
    return SeriesData(model.targets_, scale, model.covariates_, model.scales_["covariates"])


class TargetColumn(NamedTuple):
    """A target as the network reads it: its newest value, and the last d relative to that."""

    newest: Quantity
    relative: Quantity


class Row(NamedTuple):
    """Targets that are read together: their columns, and what the last recurrent layer gives."""

    columns: list[TargetColumn]
    outputs: Quantity
    first: int


@dataclass(frozen=True)
class SeriesStep:
    """The start of a step.

    Attributes:
        inputs: of the model.
        stages: up to the last recurrent layers.
        rows: of the network.
        ahead: what is known of the steps to come, [f * P]; None where nothing is.
        facts: for the manifest.
        notes: what the step does not do.
    """

    inputs: tuple[Quantity, ...]
    stages: tuple[Stage, ...]
    rows: tuple[Row, ...]
    ahead: Quantity | None
    facts: dict[str, object]
    notes: tuple[str, ...]


def demand_step_model(network: Any, covariates: Covariates, name: str) -> None:
    """Refuse a network that reads what a step is not given.

    Args:
        network: of forecasts.
        covariates: as training found them.
        name: of the model, as a sentence has it.

    Raises:
        UsageError: the sentence says what to do.
    """
    if not isinstance(network, ForecastNetwork):
        raise UsageError(f"this {name} reads whole windows (segment), so it has no step: fit one without segment")
    if network.told or network.asked:
        raise UsageError(
            f"this {name} is told of missing values, which a step model is not: fit one on a series without gaps"
        )
    sizes = network.sizes
    words = (
        "categories of covariates" if sizes.known_codes or sizes.past_codes
        else "the times of rows (regular=False)" if sizes.passed is not None
        else "which covariates are missing" if covariates.incomplete
        else ""
    )  # fmt: skip
    if words:
        raise UsageError(f"this {name} reads {words}, which a step model is not given: fit one without")


def series_step(network: ForecastNetwork, data: SeriesData) -> SeriesStep:
    """Return what reads a step of a series.

    Args:
        network: trained, as `demand_step_model` lets it through.
        data: what training found.
    """
    count, covariates = len(data.targets), data.covariates
    values = Quantity("values", count)
    stages: list[Stage] = [scale_stage("scaled", values, *as_scale(data.scale))]
    columns = [_column(stages, number, network.lags) for number in range(count)]
    inputs, ahead = [values], None
    facts: dict[str, object] = {"columns": list(data.targets), "history": network.history}
    beside: list[Quantity] = []
    own = _Scales(covariates, data.covariate_scale)
    known, past = [*covariates.of_known(), *covariates.of_static()], covariates.of_past()
    if known:
        facts["known"] = known
        beside.append(_read(inputs, stages, "known", own.known(1)))
        ahead = _read(inputs, stages, "ahead", own.known(network.steps))
    if past:
        facts["past"] = past
        beside.append(_read(inputs, stages, "past", own.past()))
    rows = tuple(_rows(network, stages, columns, beside))
    notes = (NO_GAPS, *((KNOWN,) if known else ()))
    return SeriesStep(tuple(inputs), tuple(stages), rows, ahead, facts, notes)


def _rows(
    network: ForecastNetwork, stages: list[Stage], columns: list[TargetColumn], beside: list[Quantity]
) -> list[Row]:
    found = []
    for first, own in enumerate([columns] if network.multivariate else [[one] for one in columns]):
        end = "" if network.multivariate or len(columns) == 1 else f"{first + 1}_"
        parts = [*(part for one in own for part in (one.relative, one.newest)), *beside]
        joined = Quantity(f"read{end.rstrip('_')}", sum(part.size for part in parts))
        stages.append(Join(joined, tuple(part.name for part in parts)))
        layers = layer_stages(network.recurrent, joined, name=f"layer{end}")
        stages += layers
        found.append(Row(own, layers[-1].gives, first))
    return found


def _column(stages: list[Stage], number: int, lags: int) -> TargetColumn:
    """Add what cuts a target out of the values, and keeps its last d."""
    newest = Quantity(f"newest{number + 1}", 1)
    stages.append(Slice(newest, number, "scaled"))
    recent = Quantity(f"recent{number + 1}", lags)
    stages.append(Delay(recent, lags, newest.name))
    relative = Quantity(f"relative{number + 1}", lags)
    read = {"x": recent.name, "newest": newest.name}
    graph = formula(_less, {"newest": "one"})
    doc = "the last values relative to the newest"
    stages.append(Equations(relative, graph, {"input": lags, "one": 1}, {}, read, doc))
    return TargetColumn(newest, relative)


def _less(x: Any, newest: Any) -> Any:
    return x - total(newest)


# --- covariates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scales:
    """The scale of covariates in the order in which the network reads them; what comes from times has none."""

    covariates: Covariates
    scale: Scale

    def known(self, steps: int) -> Scale:
        known, static = len(self.covariates.known), len(self.covariates.static)
        count = len(self.covariates.of_known())
        mean, size = np.zeros(count + static), np.ones(count + static)
        for part, whole in ((mean, self.scale.mean), (size, self.scale.size)):
            part[:known], part[count:] = whole[:known], whole[len(whole) - static :]
        return Scale(np.tile(mean, steps), np.tile(size, steps))

    def past(self) -> Scale:
        first, count = len(self.covariates.known), len(self.covariates.past)
        return Scale(*(part[first : first + count] for part in self.scale))


def _read(inputs: list[Quantity], stages: list[Stage], name: str, scale: Scale) -> Quantity:
    """Add an input of covariates, and what brings it to its scale; what is missing is read as the mean."""
    given = Quantity(name, len(scale.mean))
    inputs.append(given)
    mean, deviation = as_scale(scale)
    learned = {"scale.mean": mean, "scale.deviation": deviation}
    gives = Quantity(f"{name}_read", given.size)
    doc = "covariates on the scale of the training data; what is missing (NaN) is read as the mean"
    stages.append(Equations(gives, formula(_scaled), {"input": given.size}, learned, {"x": name}, doc))
    return gives


def _scaled(x: Any, *, scale: Any) -> Any:
    return where(abs(x) > -1.0, (x - scale.mean) / scale.deviation, 0.0)
