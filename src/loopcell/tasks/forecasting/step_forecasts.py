"""The forecasts of a step: the numbers that a network says of each value to come, on the scale of the series."""

from __future__ import annotations

from typing import Any

import numpy as np

from loopcell.equations import relu, sized, total
from loopcell.export.step_model import Equations, Join, Quantity, Slice, Stage, formula
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.forecasting.network import ForecastNetwork
from loopcell.tasks.forecasting.step_reading import Row, SeriesStep


def forecast_stages(
    network: ForecastNetwork, step: SeriesStep, numbers: int
) -> tuple[list[Stage], list[list[Equations]]]:
    """Return the stages of the first numbers that are said of each value to come, [f] each; by target and number.

    Args:
        network: trained.
        step: what reads a step.
        numbers: how many of those that the head has.
    """
    stages, said = list[Stage](), list[list[Equations]]()
    for row in step.rows:
        reads = row.outputs if step.ahead is None else _through_known(network, step.ahead, row, stages)
        for place in range(len(row.columns)):
            own = [_number(network, reads, row, (place, which)) for which in range(numbers)]
            stages += own
            said.append(own)
    return stages, said


def _number(network: ForecastNetwork, reads: Quantity, row: Row, place: tuple[int, int]) -> Equations:
    """Return the stage of one of the numbers that are said of each value to come of a column, [f].

    Args:
        network: the forecaster's.
        reads: the output of the last layer, or what is said with the help of what is known ahead.
        row: the column's.
        place: the number of the column in the row, and that of the number.
    """
    steps, each = network.steps, network.head_kind.numbers
    rows = np.arange(steps) * network.columns * each + place[0] * each + place[1]
    column = row.columns[place[0]]
    if network.ahead is None:
        weight, bias = as_floats(network.context.weight)[rows], as_floats(network.context.bias)[rows]
    else:
        weight, bias = np.eye(reads.size, dtype=np.float32)[rows], np.zeros(steps, np.float32)
    learned = {"context.weight": weight, "context.bias": bias}
    located = place[1] < network.head_kind.located
    if located:
        learned |= {
            "straight.weight": as_floats(network.straight.weight),
            "straight.bias": as_floats(network.straight.bias),
        }
    sizes = {"input": reads.size, "ahead": steps}
    read = {"x": reads.name}
    if located:
        sizes |= {"relative": column.relative.size, "one": 1}
        read |= {"relative": column.relative.name, "newest": column.newest.name}
    graph = formula(_ahead, {"relative": "relative", "newest": "one"}) if located else formula(_linear)
    levels = network.head_kind.levels
    doc = "the mean" if not place[1] else f"quantile {levels[place[1] - 1]:g}"
    name = f"said{row.first + place[0] + 1}_{place[1]}"
    return Equations(Quantity(name, steps), graph, sizes, learned, read, f"{doc}, as learned")


def _ahead(x: Any, relative: Any, newest: Any, *, context: Any, straight: Any) -> Any:
    place = total(newest) + straight.weight @ relative + straight.bias
    return sized(context.weight @ x + context.bias + place, "ahead")


def _linear(x: Any, *, context: Any) -> Any:
    return sized(context.weight @ x + context.bias, "ahead")


# --- with what is known of the steps to come -----------------------------------------------------------------------


def _through_known(network: ForecastNetwork, ahead: Quantity, row: Row, stages: list[Stage]) -> Quantity:
    """Add the numbers of all steps to come, from the context and what is known of each; gives [f * columns * n]."""
    assert network.ahead is not None
    first, last = network.ahead[1], network.ahead[3]  # type: ignore[index] # as `ForecastNetwork._ahead` makes it
    hidden = last.in_features
    matrix = as_floats(first.weight)
    shared = {
        "first.context": np.ascontiguousarray(matrix[:, :hidden]),
        "first.known": np.ascontiguousarray(matrix[:, hidden:]),
        "first.bias": as_floats(first.bias),
        "last.weight": as_floats(last.weight),
        "last.bias": as_floats(last.bias),
    }
    context, context_bias = as_floats(network.context.weight), as_floats(network.context.bias)
    width = ahead.size // network.steps
    parts = []
    for step in range(network.steps):
        known = _known_of(stages, ahead, step, width)
        own = slice(step * hidden, (step + 1) * hidden)
        learned: dict[str, Floats] = {**shared, "context.weight": context[own], "context.bias": context_bias[own]}
        parts.append(_step_ahead(network, row, known, (step, learned)))
    stages += parts
    end = "" if len(row.columns) == network.sizes.targets else str(row.first + 1)
    whole = Quantity(f"ahead_said{end}", sum(part.gives.size for part in parts))
    stages.append(Join(whole, tuple(part.gives.name for part in parts)))
    return whole


def _known_of(stages: list[Stage], ahead: Quantity, step: int, width: int) -> Quantity:
    """Return what is known of a step to come; it is cut out once for all rows."""
    cut = Slice(Quantity(f"known_t+{step + 1}", width), step * width, ahead.name)
    if cut.gives.name not in {stage.gives.name for stage in stages}:
        stages.append(cut)
    return cut.gives


def _step_ahead(network: ForecastNetwork, row: Row, known: Quantity, of: tuple[int, dict[str, Floats]]) -> Equations:
    step, learned = of
    rectify_known = not network.sizes.signed

    def said(x: Any, known: Any, *, context: Any, first: Any, last: Any) -> Any:
        told = relu(known) if rectify_known else known
        met = first.context @ relu(sized(context.weight @ x + context.bias, "hidden")) + first.known @ told
        return sized(last.weight @ relu(sized(met + first.bias, "hidden")) + last.bias, "numbers")

    numbers, hidden = learned["last.weight"].shape
    sizes = {"input": row.outputs.size, "known": known.size, "hidden": hidden, "numbers": numbers}
    name = f"said{row.first + 1}_t+{step + 1}"
    reads = {"x": row.outputs.name, "known": known.name}
    graph = formula(said, {"known": "known"})
    return Equations(Quantity(name, numbers), graph, sizes, learned, reads, f"what is said of step t + {step + 1}")
