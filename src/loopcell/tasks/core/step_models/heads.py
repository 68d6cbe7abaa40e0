"""Heads: what makes the answer of what was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from loopcell.data.examples import Scale
from loopcell.equations import sigmoid, sized
from loopcell.export.step_model import Equations, Quantity, Softmax, Stage, formula
from loopcell.export.step_model.formulas import linear_stage
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.step_models.step_input import as_scale


def head_stage(name: str, reads: Sequence[Quantity], head: nn.Linear, weight: Tensor | None = None) -> Equations:
    """Return a linear head on one or two vectors, which it reads one beside the other.

    Args:
        name: of what it gives.
        reads: the vectors.
        head: the layer.
        weight: its weight, where that is another's.
    """
    matrix, bias = as_floats(head.weight if weight is None else weight), as_floats(head.bias)
    if len(reads) == 1:
        return linear_stage(name, reads[0], matrix, bias, "the head")
    x, y = reads
    first, second = (np.ascontiguousarray(part) for part in np.split(matrix, [x.size], axis=1))
    learned = {"head.first": first, "head.second": second, "head.bias": bias}
    sizes = {"input": x.size, "second": y.size, "output": len(bias)}
    graph, read = formula(_linear_of_two, {"y": "second"}), {"x": x.name, "y": y.name}
    return Equations(Quantity(name, len(bias)), graph, sizes, learned, read, "the head")


def _linear_of_two(x: Any, y: Any, *, head: Any) -> Any:
    return sized(head.first @ x + head.second @ y + head.bias, "output")


def between_stage(name: str, beside: Quantity, given: Quantity, share: Tensor) -> Equations:
    """Return what lies between the answers of two models: beside + share (given - beside)."""

    def between(x: Any, y: Any, *, follow: Any) -> Any:
        return x + follow.share * (y - x)

    graph = formula(between, {"y": "input"})
    shares = np.broadcast_to(as_floats(share), (given.size,)).copy()
    read = {"x": beside.name, "y": given.name}
    return Equations(Quantity(name, given.size), graph, {"input": given.size}, {"follow.share": shares}, read)


def probability_stages(scores: Quantity, temperature: Tensor | None, *, several: bool) -> list[Stage]:
    """Return what makes probabilities of scores: of labels of which one holds, or several.

    Args:
        scores: [K].
        temperature: by which scores are divided first; None for 1.
        several: each label has a probability of its own.
    """

    def cooled(x: Any, *, by: Any) -> Any:
        return x / by.temperature

    def own(x: Any, *, by: Any) -> Any:
        return sigmoid(x / by.temperature)

    heat = np.full(scores.size, 1.0 if temperature is None else float(temperature), np.float32)
    sizes, learned = {"input": scores.size}, {"by.temperature": heat}
    gives = Quantity("probabilities", scores.size)
    if several:
        return [Equations(gives, formula(own), sizes, learned, {"x": scores.name}, "a probability for each label")]
    if temperature is None or float(temperature) == 1.0:
        return [Softmax(gives, scores.name)]
    calm = Quantity("calibrated", scores.size)
    doc = "scores divided by the temperature that held-out data ask for"
    return [Equations(calm, formula(cooled), sizes, learned, {"x": scores.name}, doc), Softmax(gives, calm.name)]


def units_stage(name: str, reads: Quantity, mean: npt.NDArray[np.float64], size: npt.NDArray[np.float64]) -> Equations:
    """Return x * size + mean, which brings numbers back to the units of the user."""

    def in_units(x: Any, *, scale: Any) -> Any:
        return x * scale.deviation + scale.mean

    learned = dict(zip(("scale.mean", "scale.deviation"), as_scale(Scale(mean, size)), strict=True))
    doc = "back to the units of the targets"
    return Equations(
        Quantity(name, reads.size), formula(in_units), {"input": reads.size}, learned, {"x": reads.name}, doc
    )
