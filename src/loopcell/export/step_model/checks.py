"""The model's own answers to a user's data, beside the steps of the same data: what an export is held against."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.errors import InputError
from loopcell.export.step_model.of_list import run_layers, step_of_layers
from loopcell.layers.stack import Stack
from loopcell.layers.streaming.stream import NetworkStream

Array: TypeAlias = npt.NDArray[Any]
MOST_STEPS, MOST_SEQUENCES = 2_000, 64
"""The most steps of a user's data that are compared, and the most sequences: double precision in NumPy is slow."""
RANGE_STEPS = 50_000
"""The most steps that decide where the points of fixed point are."""


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
        further: checks of the sequences after it, which are compared too, each from a fresh state.
        every: the inputs of all sequences of the data in full, by which the ranges of fixed point are chosen; () where
            they are those of the checks.
    """

    inputs: Mapping[str, Array]
    runs: Mapping[str, OwnRun] = field(default_factory=dict)
    further: tuple[StepCheck, ...] = ()
    every: tuple[Mapping[str, Array], ...] = ()

    @property
    def all(self) -> tuple[StepCheck, ...]:
        """This check and the further ones."""
        return (self, *self.further)

    @property
    def sequences(self) -> tuple[Mapping[str, Array], ...]:
        """The inputs of all sequences of the data in full."""
        return self.every or tuple(one.inputs for one in self.all)

    def covers(self) -> str:
        """Return how much of the data is compared, as a sentence."""
        steps, whole = (sum(map(_steps_in, parts)) for parts in ([one.inputs for one in self.all], self.sequences))
        if (steps, len(self.all)) == (whole, len(self.sequences)):
            return f"compared on all of the data: {_counted(len(self.all), 'sequence')}, {_counted(steps, 'step')}"
        return (
            f"compared on {len(self.all):,} of {_counted(len(self.sequences), 'sequence')} of the data, {steps:,} of "
            f"{_counted(whole, 'step')}"
        )


@runtime_checkable
class HasStepCheck(Protocol):
    """A trained model that makes a check of the user's data."""

    def step_check(self, data: Any) -> StepCheck:
        """Return the steps of a sequence and the model's own answers.

        Args:
            data: as the model's `predict` takes it; all sequences count for the ranges of fixed point, and the first
                64 of them with 2,000 steps in all are compared.
        """


Data: TypeAlias = StepCheck | Mapping[str, npt.ArrayLike]


def check_of(model: object, data: Data) -> StepCheck:
    """Return data with the model's own answers: a network runs on it; of other models they come with a `StepCheck`.

    Args:
        model: what is exported.
        data: a check, or inputs by name.
    """
    demand_data(data)
    if isinstance(data, StepCheck):
        return data
    inputs = {name: np.asarray(value) for name, value in data.items()}
    if isinstance(model, nn.Sequential | list | tuple):
        return StepCheck(inputs, _run_of_layers(list(model), inputs))
    return StepCheck(inputs, _runs_of(model, inputs) if isinstance(model, Stack) else {})


def demand_data(data: object) -> None:
    """Refuse data that are no sequence for each input by its name, or have an infinite number.

    Raises:
        InputError: the sentence says what is expected in their place, or where the number is.
    """
    if not isinstance(data, StepCheck | Mapping):
        raise InputError(
            "the data to hold an export against are an array for each input by its name, {'x': array}, or what "
            f"model.step_check(X) makes of an estimator's sequences; got {type(data).__name__}"
        )
    for inputs in data.sequences if isinstance(data, StepCheck) else [data]:
        for name, values in inputs.items():
            _demand_no_infinity(name, values)


def covered(data: Data | None, *, ranges: bool) -> str:
    """Return how much of a user's data an export was compared on, as a sentence; "" where there are none.

    Args:
        data: as an exporter takes them, of which an array may be longer than what is compared.
        ranges: they have decided where the points of fixed point are, too.
    """
    if data is None:
        return ""
    if not isinstance(data, StepCheck):
        whole = {name: np.asarray(values) for name, values in data.items()}
        data = StepCheck({name: values[:MOST_STEPS] for name, values in whole.items()}, every=(whole,))
    if not ranges:
        return data.covers()
    steps = sum(map(_steps_in, data.sequences))
    of = f"all {steps:,} steps" if steps <= RANGE_STEPS else f"the first {RANGE_STEPS:,} of {steps:,} steps"
    return f"{data.covers()}; the ranges of fixed point are those of {of}"


def _demand_no_infinity(name: str, values: npt.ArrayLike) -> None:
    try:
        with np.errstate(over="ignore"):
            found = np.isinf(np.asarray(values, np.float32))
    except (TypeError, ValueError):
        raise InputError(f"the data of {name!r} are no array of numbers with the same count at each step") from None
    if found.any():
        step = int(np.argwhere(np.atleast_1d(found))[0][0]) + 1
        raise InputError(
            f"the data of {name!r} have a number at step {step} that is infinite in single precision: no export can be "
            "held against the model there; leave such steps out"
        )


def _run_of_layers(layers: Sequence[Any], inputs: Mapping[str, Array]) -> dict[str, OwnRun]:
    """Return what layers in a list answer to the whole sequence."""
    like = next((one for layer in layers for one in layer.parameters()), None)
    x = inputs.get("x", np.zeros(0))[:MOST_STEPS]
    if like is None or like.dtype not in (torch.float32, torch.float64) or x.ndim != 2 or not len(x):
        return {}
    with torch.no_grad():
        y = run_layers(layers, torch.from_numpy(np.array(x)).to(like))
    name = step_of_layers(layers).outputs[0].name
    return {"own offline": OwnRun({name: y.double().cpu().numpy()}, np.arange(len(x)))}


def _steps_in(inputs: Mapping[str, Array]) -> int:
    return len(next(iter(inputs.values()), ()))


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


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


def growing_cuts(steps: int) -> list[int]:
    """Cut a sequence into chunks of 1, 2, 3, ... steps."""
    cuts = [0]
    while cuts[-1] < steps:
        cuts.append(min(cuts[-1] + len(cuts), steps))
    return cuts


def _chunked(run: NetworkStream, x: Tensor, beside: Mapping[str, Tensor]) -> list[Tensor]:
    return [
        run.feed(x[start:end], **{name: value[start:end] for name, value in beside.items()})
        for start, end in itertools.pairwise(growing_cuts(len(x)))
    ]


def _step(run: NetworkStream, x: Tensor, beside: Mapping[str, Tensor], at: int) -> Tensor:
    return run.step(x[at], **{name: value[at] for name, value in beside.items()})
