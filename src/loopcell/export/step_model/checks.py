"""The model's own answers to a user's data, beside the steps of the same data: what an export is held against."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.layers.stack import Stack
from loopcell.layers.streaming.stream import NetworkStream

Array: TypeAlias = npt.NDArray[Any]
MOST_STEPS = 2_000
"""The most steps of a user's data that are compared, since double precision in NumPy is slow."""


@dataclass(frozen=True, eq=False)
class OwnRun:
    """The answers that a model gave itself, such as all at once or from a stream.

    Attributes:
        answers: by the name of the output, [n, k].
        steps: the numbers of the steps that they are of, from 0, [n].
    """

    answers: Mapping[str, Array]
    steps: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StepCheck:
    """Data to hold an export against its model.

    Attributes:
        inputs: a sequence by the name of each input of the step, [T, n], or [T] of tokens.
        runs: the model's own answers to it, by the way in which it was run: "own offline", "own streamed", ....
    """

    inputs: Mapping[str, Array]
    runs: Mapping[str, OwnRun] = field(default_factory=dict)


@runtime_checkable
class HasStepCheck(Protocol):
    """A trained model that makes a check of the user's data."""

    def step_check(self, data: Any) -> StepCheck:
        """Return the steps of a sequence and the model's own answers.

        Args:
            data: as the model's `predict` takes it; the first sequence counts, and of it the first 2,000 steps.
        """


Data: TypeAlias = StepCheck | Mapping[str, npt.ArrayLike]


def check_of(model: object, data: Data) -> StepCheck:
    """Return data with the model's own answers: a network runs on it; of other models they come with a `StepCheck`.

    Args:
        model: what is exported.
        data: a check, or inputs by name.
    """
    if isinstance(data, StepCheck):
        return data
    inputs = {name: np.asarray(value) for name, value in data.items()}
    return StepCheck(inputs, _runs_of(model, inputs) if isinstance(model, Stack) else {})


def _runs_of(net: Stack, inputs: Mapping[str, Array]) -> dict[str, OwnRun]:
    """Return what a network answers to the whole sequence, to chunks of 1, 2, 3, ... steps, and step by step."""
    first, *further = net.spec.cell.graph.inputs or ("x",)
    like = next(net.parameters())
    if set(inputs) != {first, *further} or like.dtype not in (torch.float32, torch.float64):
        return {}  # what is asked for in other words fails where the step is; half precision is another arithmetic
    given = {name: torch.from_numpy(np.array(value[:MOST_STEPS])).to(like) for name, value in inputs.items()}
    x, beside = given[first], {name: given[name] for name in further}
    if any(value.dim() != 2 for value in given.values()) or not len(x):
        return {}
    parts = _chunked(net.stream(), x, beside)
    every = np.arange(len(x))
    stream = net.stream()
    steps = torch.stack([_step(stream, x, beside, at) for at in range(len(x))])
    found = {"own offline": _offline(net, x, beside), "own chunked": torch.cat(parts), "own stepped": steps}
    name = step_name(net)
    return {way: OwnRun({name: y.double().cpu().numpy()}, every) for way, y in found.items()}


def step_name(net: Stack) -> str:
    """Return what the step of a network calls its output: the last layer."""
    return f"layer{net.spec.num_layers}"


def _offline(net: Stack, x: Tensor, beside: Mapping[str, Tensor]) -> Tensor:
    training = net.training
    try:
        with torch.no_grad():
            y: Tensor = net.eval()(x, **beside)[0]
            return y
    finally:
        net.train(training)


def _chunked(run: NetworkStream, x: Tensor, beside: Mapping[str, Tensor]) -> list[Tensor]:
    cuts = [0, *itertools.takewhile(lambda cut: cut < len(x), itertools.accumulate(itertools.count(1))), len(x)]
    return [
        run.feed(x[start:end], **{name: value[start:end] for name, value in beside.items()})
        for start, end in itertools.pairwise(cuts)
    ]


def _step(run: NetworkStream, x: Tensor, beside: Mapping[str, Tensor], at: int) -> Tensor:
    return run.step(x[at], **{name: value[at] for name, value in beside.items()})
