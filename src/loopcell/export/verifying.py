"""Verifying: a model that left Python, held against the model that stayed, on the user's own data.

Whatever an exporter makes is driven through two methods, and has no need to know of this module:

    reset()              start a new stream
    step(**inputs)       take one step: an array a name in, the outputs by name out

and where it can take many steps in one call, `feed(**inputs)` too, with one more axis in front, [T, ...], in and out;
or it runs whole sequences, as a program of C does, by `steps(inputs, again)`. `StepRun`, `OnnxStream`, `WasmStream` and
a compiled C model are such things.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from loopcell.errors import CheckFailed, InputError
from loopcell.export.rounding import SINGLE, difference, explained_error, moved_model, moved_values, stepped
from loopcell.export.step_model import StepCheck, StepModel, StepRun, step_model_of
from loopcell.export.step_model.checks import Data, check_of, growing_cuts

Sequences = Mapping[str, npt.ArrayLike]
Arrays = dict[str, npt.NDArray[Any]]
CHUNK = 5
"""Steps between two times that a state is saved and loaded."""
OWN = 1e-4
"""The difference from the model's own runs that passes, relative to numbers beyond 1: those are float32 too."""


@runtime_checkable
class StepByStep(Protocol):
    """An exported model that takes steps, and keeps its state from one to the next."""

    def reset(self) -> object:
        """Start a new stream."""

    def step(self, **inputs: Any) -> Mapping[str, Any]:
        """Take one step; gives the outputs by name."""


@runtime_checkable
class InChunks(StepByStep, Protocol):
    """An exported model that takes many steps in one call too."""

    def feed(self, **inputs: Any) -> Mapping[str, Any]:
        """Take the steps of a chunk, [T, ...]; gives the outputs, [T, ...]."""


@runtime_checkable
class TakesSteps(Protocol):
    """An exported model that runs over a whole sequence: a program of C, a module of WebAssembly."""

    def steps(self, inputs: Mapping[str, npt.NDArray[Any]], again: int = 0) -> Mapping[str, npt.NDArray[Any]]:
        """Take a step for each row from a fresh state, which is saved and loaded after every so many; 0 for never."""


Runs: TypeAlias = StepByStep | TakesSteps


@dataclass(frozen=True)
class Verified:
    """The result of a check.

    Attributes:
        steps: how many steps were compared.
        errors: the largest difference in each way of running, by its name: "stepped", "whole", "chunked", "saved" of
            what was exported (saved: its state written and read back now and then), "original", and "own offline",
            "own chunked", "own stepped", "own streamed" of the model.
    """

    steps: int
    errors: Mapping[str, float]

    def summary(self) -> str:
        """Return what was found, as a line."""
        found = ", ".join(f"{error:.1e} {way}" for way, error in self.errors.items())
        return f"held against the model over {self.steps:,} steps, the largest differences {found}"


def verify_run(
    model: object,
    exported: Runs,
    inputs: Data,
    *,
    original: Mapping[str, npt.ArrayLike] | None = None,
    tolerance: float | None = None,
) -> Verified:
    """Hold an exported model that runs against its original; see `loopcell.export.verify`, which opens files too.

    The middle of all comparisons is the step in double precision. What was exported is run step by step, and where it
    can in chunks and as a whole; the model runs on the same data in its own ways: a network at once, in chunks and step
    by step; an estimator as the `StepCheck` has it that it made of the user's data (`model.step_check(X)`).

    Args:
        model: what was exported: a network, a trained estimator or a `StepModel`, as `step_model_of` takes them.
        exported: what came of it; it is reset before and after.
        inputs: a sequence by the name of each input, [T, n], or [T] of tokens; or a `StepCheck`.
        original: what the trained model answers to the whole of it, where it is one sequence, [T, n] by output, to be
            compared as well.
        tolerance: the largest difference that passes, for numbers up to 1; relative to them beyond. None: what rounding
            to float32 explains on these inputs, which is what an exporter itself demands of weights in float32.

    Raises:
        CheckFailed: they differ; the message names the way of running, the output and the step.
        InputError: an input is missing, they are not equally long, or have no step.
    """
    step_model = step_model_of(model)
    check = check_of(model, inputs)
    found = [_verified(step_model, exported, one, original, tolerance) for one in check.all]
    if not any(one.steps for one in found):
        raise InputError("a check needs at least one step, and the inputs have none")
    ways = dict.fromkeys(way for one in found for way in one.errors)
    errors = {way: max(one.errors.get(way, 0.0) for one in found) for way in ways}
    return Verified(sum(one.steps for one in found), errors)


def _verified(
    step_model: StepModel,
    exported: Runs,
    check: StepCheck,
    original: Mapping[str, npt.ArrayLike] | None,
    tolerance: float | None,
) -> Verified:
    """Hold an export against one sequence; arguments and errors as `verify_run`."""
    arrays = {name: np.asarray(value) for name, value in check.inputs.items()}
    steps = _steps_of(step_model, arrays)
    expected = _stepped(StepRun(step_model), arrays, steps)
    found = _runs(exported, arrays, steps)
    if original is not None:
        found["original"] = {name: np.asarray(value) for name, value in original.items()}
    explained = _explained(step_model, arrays, expected) if tolerance is None else 0.0
    errors = {way: _compared(way, expected, given, tolerance or 0.0, explained) for way, given in found.items()}
    return Verified(steps, errors | demand_own(check, expected, tolerance or OWN, explained))


def _explained(model: StepModel, inputs: Arrays, expected: Arrays) -> float:
    """Return the largest error that rounding to float32 explains."""
    if not expected:  # there is no step
        return 0.0
    rng = np.random.default_rng(1)
    moved = moved_model(model, rng, SINGLE)
    nearby = {name: moved_values(values, rng, SINGLE) for name, values in inputs.items()}
    return explained_error(expected, difference(stepped(moved, nearby), expected))


def _runs(exported: Runs, inputs: Arrays, steps: int) -> dict[str, Arrays]:
    """Run an export in each way that it has; it is reset before and after."""
    found: dict[str, Arrays] = {}
    if isinstance(exported, TakesSteps) and callable(exported.steps):  # an `OnnxStream` counts its steps so
        found |= {"whole": dict(exported.steps(inputs)), "saved": dict(exported.steps(inputs, CHUNK))}
    if isinstance(exported, StepByStep):
        found["stepped"] = _stepped(exported, inputs, steps)
    if isinstance(exported, InChunks):
        found |= {"whole": _fed(exported, inputs, [0, steps]), "chunked": _fed(exported, inputs, growing_cuts(steps))}
    if isinstance(exported, StepByStep):
        exported.reset()
    return found


def demand_own(check: StepCheck, expected: Arrays, tolerance: float, explained: float = 0.0) -> dict[str, float]:
    """Hold a step in double precision against the model's own runs; gives the largest difference of each way.

    Args:
        check: the runs.
        expected: the answers of the step, [T, n] by output.
        tolerance: the largest difference that passes, for numbers up to 1; relative to them beyond.
        explained: a difference that passes in any case.

    Raises:
        CheckFailed: they differ: the step is not the model.
    """
    found = {}
    for way, run in check.runs.items():
        there = run.steps < len(next(iter(expected.values())))
        same = {name: expected[name][run.steps[there]] for name in run.answers}
        own = {name: value[there] for name, value in run.answers.items()}
        found[way] = _compared(way, same, own, tolerance, explained, run.steps[there])
    return found


def _steps_of(model: StepModel, inputs: Arrays) -> int:
    names = [one.name for one in model.inputs]
    lengths = {len(value) if value.ndim else -1 for value in inputs.values()}
    if sorted(names) != sorted(inputs) or len(lengths) != 1 or lengths == {-1}:
        given = ", ".join(f"{name} {list(value.shape)}" for name, value in inputs.items()) or "nothing"
        raise InputError(f"a check needs a sequence [T, ...] of equal length for {', '.join(names)}; got {given}")
    return lengths.pop()


def _stepped(run: StepByStep, inputs: Arrays, steps: int) -> Arrays:
    run.reset()
    answers = [run.step(**{name: value[at] for name, value in inputs.items()}) for at in range(steps)]
    return {name: np.stack([np.asarray(one[name]) for one in answers]) for name in answers[0]} if answers else {}


def _fed(run: InChunks, inputs: Arrays, cuts: list[int]) -> Arrays:
    run.reset()
    chunks = itertools.pairwise(cuts)
    parts = [run.feed(**{name: value[start:end] for name, value in inputs.items()}) for start, end in chunks]
    return {name: np.concatenate([np.asarray(one[name]) for one in parts]) for name in parts[0]} if parts else {}


def _compared(
    way: str,
    expected: Arrays,
    found: Arrays,
    tolerance: float,
    explained: float,
    steps: npt.NDArray[np.int64] | None = None,
) -> float:
    """Return the largest difference of all outputs; equal infinities and NaN in both places are no difference."""
    largest = 0.0
    for name, right in expected.items():
        given = np.asarray(found[name], np.float64) if name in found else np.zeros(0)
        if given.size != right.size:
            raise CheckFailed(f"{way}: the output {name!r} has {given.size} numbers, and {right.size} were expected")
        given = given.reshape(right.shape)
        with np.errstate(invalid="ignore"):
            same = (given == right) | (np.isnan(given) & np.isnan(right))
            off = np.where(same, 0.0, np.nan_to_num(np.abs(given - right), nan=np.inf, posinf=np.inf))
            passes = np.maximum(explained, tolerance * np.maximum(1.0, np.nan_to_num(np.abs(right), posinf=0.0)))
        over = off > passes
        if over.any():
            at = tuple(int(place) for place in np.argwhere(over)[0])
            step, last = (at[0] + 1, len(right)) if steps is None else (int(steps[at[0]]) + 1, int(steps[-1]) + 1)
            where = "the model" if steps is None else "its step"
            raise CheckFailed(
                f"{way}: the output {name!r} is {given[at]:.6g} at step {step} of {last}, and {where} gives "
                f"{right[at]:.6g}, off by {off[at]:.2g} where {passes[at]:.2g} is allowed: the export does not compute "
                "what the model does, or has weights of fewer bits, for which its report says how far it is off"
            )
        largest = max(largest, float(off.max(initial=0.0)))
    return largest
