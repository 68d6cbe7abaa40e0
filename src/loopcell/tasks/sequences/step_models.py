"""Estimators of sequences as one step: the answer of a tagger to it, or what a pooled model says of all so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import Scale
from loopcell.equations import Value, cell, maximum, minimum, sized, sqrt, total, where
from loopcell.export.step_model import Equations, Join, Output, Quantity, Stage, StepModel, averaged
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.core.inputs.input import Input
from loopcell.tasks.core.inputs.static import StaticInput
from loopcell.tasks.core.networks.ensemble import members_of
from loopcell.tasks.core.networks.many_to_one import ManyToOne
from loopcell.tasks.core.step_models.body import Body, body_of
from loopcell.tasks.core.step_models.heads import between_stage, head_stage, probability_stages, units_stage
from loopcell.tasks.core.step_models.pooling import pooling_stages
from loopcell.tasks.core.step_models.static import static_step
from loopcell.tasks.sequences.linear import LinearOfSummaries

FARTHEST_OF_ALL = float(np.finfo(np.float32).max)  # stands for no bound
FIGURES = ("mean", "deviation", "least", "most", "first", "last")


class Pooled(NamedTuple):
    """The data that a classifier or a regressor reads.

    Attributes:
        reads: the kind of input.
        static: what was learned of static values; None where there are none.
    """

    reads: Input
    static: StaticInput | None = None


def tagger_step(reads: Input, network: Any, labels: npt.NDArray[Any], *, several: bool) -> StepModel:
    """Return the step of a tagger: the probability of each label.

    Args:
        reads: the kind of input.
        network: a `TaggerNetwork` without a CRF, or a `TaggerEnsemble`.
        labels: [K].
        several: a step may have several of them.
    """

    def of_one(member: Any) -> StepModel:
        body = body_of(reads, member.reader)
        scores = head_stage("scores", [body.gives], member.head)
        probabilities = probability_stages(scores.gives, member.temperature, several=several)
        return _model("tagger", body, [scores, *probabilities], labels)

    return averaged([of_one(member) for member in members_of(network)])


def classifier_step(reads: Pooled, network: Any, labels: npt.NDArray[Any], *, several: bool) -> StepModel:
    """Return the step of a classifier: the probability of each label, from all steps so far."""

    def of_one(member: Any) -> StepModel:
        body, stages, scores = _pooled(reads, member)
        probabilities = probability_stages(scores, member.temperature, several=several)
        return _model("classifier", body, [*stages, *probabilities], labels)

    return averaged([of_one(member) for member in members_of(network)])


def regressor_step(reads: Pooled, network: Any, scale: Scale) -> StepModel:
    """Return the step of a regressor: its numbers [K], from all steps so far.

    Args:
        reads: what it reads.
        network: a `RegressorNetwork`, or an ensemble of them.
        scale: of the targets, [K].
    """

    def of_one(member: Any) -> StepModel:
        body, stages, scores = _pooled(reads, member)
        units = units_stage("numbers", scores, scale.mean, scale.size)
        return _model("regressor", body, [*stages, units], ())

    return averaged([of_one(member) for member in members_of(network)])


def _model(name: str, body: Body, stages: list[Stage], labels: Iterable[Any]) -> StepModel:
    """Return the step whose answer is what the last stage gives."""
    reading = body.reading
    output = Output(stages[-1].gives.name, tuple(str(label) for label in labels))
    return StepModel(
        name, reading.inputs, (*body.stages, *stages), (output,), reading.facts, reading.notes, reading.frames
    )


def _pooled(reads: Pooled, network: Any) -> tuple[Body, list[Stage], Quantity]:
    """Return the body, the stages after it, and what they give: scores, or numbers on their scale."""
    assert isinstance(network, ManyToOne)
    body = body_of(reads.reads, network.reader)
    stages: list[Stage] = [*pooling_stages(network.pooling, body.gives)]
    vectors = [stage.gives for stage in stages] or [body.gives]
    if reads.static is not None and network.static is not None:
        static = static_step(reads.static, network.static, body.reading.inputs)
        body = body.beside(static)
        stages += static.stages
        whole = Quantity("whole", sum(one.size for one in (*vectors, *static.gives)))
        stages.append(Join(whole, tuple(one.name for one in (*vectors, *static.gives))))
        vectors = [whole]
    head = head_stage("scores", vectors, network.head)
    stages.append(head)
    if network.beside is None:
        return body, stages, head.gives
    assert isinstance(network.beside, LinearOfSummaries)
    linear = summaries_stage(network.beside, body.reading.gives)
    between = between_stage("answer", linear.gives, head.gives, network.beside.share)
    return body, [*stages, linear, between], between.gives


def summaries_stage(linear: LinearOfSummaries, reads: Quantity) -> Equations:
    """Return the linear model of summaries of all steps so far; mean and deviation as Welford (1962) has them.

    Args:
        linear: the model.
        reads: the numbers of a step on their scale, and behind them what tells of gaps.
    """
    columns = (len(linear.mean) - 1) // len(FIGURES)
    outputs = len(linear.bias)
    middle, scale, weight = (as_floats(part) for part in (linear.mean, linear.scale, linear.weight))
    learned: dict[str, Floats] = {"value.place": np.eye(columns, reads.size, dtype=np.float32)}
    for at, name in enumerate(FIGURES):
        own = slice(at * columns, (at + 1) * columns)
        learned[f"farthest.{name}"] = np.full(columns, min(linear.farthest, FARTHEST_OF_ALL), np.float32)
        learned |= {f"middle.{name}": middle[own], f"scale.{name}": scale[own], f"weight.{name}": weight[:, own].copy()}
    # The length is one number, so its part of the answer is a vector times it.
    learned["weight.length"] = weight[:, -1] / scale[-1]
    learned["weight.bias"] = as_floats(linear.bias) - weight[:, -1] * (middle[-1] / scale[-1])
    sizes = {"input": reads.size, "column": columns, "output": outputs}
    doc = "a linear model of mean, deviation, least, largest, first and last value, and the length"
    return Equations(Quantity("summaries", outputs), cell(_summaries).graph, sizes, learned, {"x": reads.name}, doc)


def _summaries(  # noqa: PLR0913 - a state for each figure
    x: Any,
    count: "column",  # the annotation of a state names its size
    mean: "column",
    squares: "column",
    least: "column",
    most: "column",
    first: "column",
    *,
    value: Any,
    middle: Any,
    scale: Any,
    farthest: Any,
    weight: Any,
) -> Any:
    last = value.place @ x
    begun, count = count > 0.0, count + 1
    before = last - mean
    mean = mean + before / count
    squares = squares + before * (last - mean)
    deviation = sqrt(squares / count)
    least, most = where(begun, minimum(least, last), last), where(begun, maximum(most, last), last)
    first = where(begun, first, last)
    answer = (
        weight.mean @ _near((mean - middle.mean) / scale.mean, farthest.mean)
        + weight.deviation @ _near((deviation - middle.deviation) / scale.deviation, farthest.deviation)
        + weight.least @ _near((least - middle.least) / scale.least, farthest.least)
        + weight.most @ _near((most - middle.most) / scale.most, farthest.most)
        + weight.first @ _near((first - middle.first) / scale.first, farthest.first)
        + weight.last @ _near((last - middle.last) / scale.last, farthest.last)
        + weight.length * (total(count) / _length(count))
        + weight.bias
    )
    return sized(answer, "output"), count, mean, squares, least, most, first


def _near(figures: Value, farthest: Value) -> Value:
    """Return figures within some deviations of their mean."""
    return minimum(maximum(figures, -farthest), farthest)


def _length(vector: Value) -> Value:
    """Return how long a vector is, as a number of the equations."""
    return total(vector * 0.0 + 1.0)
