"""Poolings as equations with a state: what a pooling of all steps so far says after each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loopcell.equations import cell, exp, maximum, sized, tanh, total, where
from loopcell.export.step_model import Equations, Quantity
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.core.networks.pooling import (
    AttentionPooling,
    LastPooling,
    MaxMeanPooling,
    MaxPooling,
    MeanPooling,
)

# The annotation of a state names its size: as long as the outputs that are pooled.


def _mean(x: Any, sum: "input", count: "input") -> Any:  # noqa: A002
    sum, count = sum + x, count + 1  # noqa: A001
    return sum / count, sum, count


def _max(x: Any, largest: "input", begun: "input") -> Any:
    largest = where(begun, maximum(largest, x), x)
    return largest, largest, begun * 0.0 + 1.0


def _attention(
    x: Any,
    largest: "input",
    sum: "input",  # noqa: A002
    weights: "input",
    *,
    hidden: Any,
    query: Any,
) -> Any:
    """Weigh the steps so far by a softmax: sums of exp(score - largest), made smaller when a larger score comes."""
    score = total(query.weight * tanh(sized(hidden.weight @ x + hidden.bias, "input")))
    begun: Any = weights > 0.0
    new_largest = where(begun, maximum(largest, score), score)
    kept, weight = where(begun, exp(largest - new_largest), 0.0), exp(score - new_largest)
    sum = kept * sum + weight * x  # noqa: A001
    weights = kept * weights + weight
    return sum / weights, new_largest, sum, weights


def pooling_stages(pooling: object, reads: Quantity) -> list[Equations]:
    """Return the stages of a pooling; none where the last step is all that it reads.

    Args:
        pooling: one of `POOLINGS`.
        reads: the outputs of the recurrent layers.
    """
    if isinstance(pooling, LastPooling):
        return []
    if isinstance(pooling, MaxMeanPooling):
        return [_stage("max", _max, reads), _stage("mean", _mean, reads)]
    if isinstance(pooling, AttentionPooling):
        hidden = {"hidden.weight": as_floats(pooling.hidden.weight), "hidden.bias": as_floats(pooling.hidden.bias)}
        return [_stage("attention", _attention, reads, {**hidden, "query.weight": as_floats(pooling.query.weight[0])})]
    assert isinstance(pooling, MaxPooling | MeanPooling)
    return [_stage("max", _max, reads) if isinstance(pooling, MaxPooling) else _stage("mean", _mean, reads)]


def _stage(name: str, function: Callable[..., Any], reads: Quantity, learned: Mapping[str, Floats] = {}) -> Equations:
    graph = cell(function).graph
    doc = f"the {name} over all steps so far"
    return Equations(Quantity(name, reads.size), graph, {"input": reads.size}, learned, {"x": reads.name}, doc)
