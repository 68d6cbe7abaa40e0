"""Rounding: how far a step in single precision may be from the same step in double precision, on the data at hand.

Some models take a rounding to its own size, others (a norm of small numbers, a long memory) to a multiple of it. So it
is tried: every weight and input is moved by about one rounding, and what that does to the answers says how far they
may be off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.export.step_model import Equations, Lookup, Stage, StepModel, StepRun

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
SINGLE = 2.0**-24
"""Half of the distance of float32 numbers, relative to them."""
_CLOSE, _TIMES = 2e-5, 30
"""The error that is always allowed, in units of the largest answer or of 1; and how many times the difference that one
rounding of each weight and input makes."""


def explained_error(answers: Arrays, moved: float) -> float:
    """Return the largest error that rounding explains.

    Args:
        answers: in double precision, by output.
        moved: how far these are moved by one rounding of each weight and input.
    """
    # An answer that is infinite or NaN is equal or wrong: no other one may be off by more for its sake.
    finite = (np.nan_to_num(np.abs(values), nan=0.0, posinf=0.0) for values in answers.values())
    scale = max(1.0, *(float(values.max(initial=0)) for values in finite))
    return max(_CLOSE * scale, _TIMES * moved if np.isfinite(moved) else 0.0)


def moved_model(model: StepModel, rng: np.random.Generator, grain: float) -> StepModel:
    """Return the model with each weight moved by about as much as a step rounds it."""
    return replace(model, stages=tuple(_moved_stage(stage, rng, grain) for stage in model.stages))


def moved_values(values: npt.NDArray[Any], rng: np.random.Generator, grain: float) -> npt.NDArray[Any]:
    """Return numbers moved by about as much as a rounding; what is no float stays."""
    if values.dtype.kind != "f":
        return values
    moved: npt.NDArray[Any] = values * (1 + grain * rng.choice([-1.0, 1.0], values.shape))
    return moved


def stepped(model: StepModel, inputs: Arrays) -> dict[str, npt.NDArray[np.float64]]:
    """Take a step for each row, in double precision."""
    run = StepRun(model)
    steps = len(next(iter(inputs.values())))
    rows = [run.step(**{name: values[step] for name, values in inputs.items()}) for step in range(steps)]
    return {output.name: np.array([row[output.name] for row in rows]) for output in model.outputs}


def difference(left: Arrays, right: Arrays) -> float:
    """Return the largest difference of two runs; infinite numbers that are equal, and NaN in both, are none."""
    return max(float(_apart(left[name], values).max(initial=0)) for name, values in right.items())


def _apart(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with np.errstate(invalid="ignore"):
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        return np.where(same, 0.0, np.nan_to_num(np.abs(left - right), nan=np.inf))


def _moved_stage(stage: Stage, rng: np.random.Generator, grain: float) -> Stage:
    if isinstance(stage, Equations):
        return replace(
            stage, parameters={name: moved_values(values, rng, grain) for name, values in stage.parameters.items()}
        )
    return replace(stage, table=moved_values(stage.table, rng, grain)) if isinstance(stage, Lookup) else stage
