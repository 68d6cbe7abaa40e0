"""FixedModel: a model with the format of everything that flows and is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.export.c.fixed.lowering import FixedEquations
from loopcell.export.c.fixed.numbers import STORED, Matrices, Whole, fraction_for, meant, whole
from loopcell.export.c.fixed.ranges import Ranges, ranges_of
from loopcell.export.c.weights import demand_finite
from loopcell.export.step_model import Delay, Equations, Join, Lookup, Softmax, Stage, StepModel

WEIGHTS = ("int16", "int8")


@dataclass(frozen=True, eq=False)
class FixedModel:
    """A model in fixed point.

    Attributes:
        step: what is computed.
        weights: "int16" or "int8".
        fractions: of each quantity, by name; 0 for tokens.
        equations: the stages of equations, by name.
        lookups: how the tables of tokens are stored, by the name of their stage.
        tables: these tables: rows, multipliers, and the fraction of the two together.
    """

    step: StepModel
    weights: str
    fractions: Mapping[str, int]
    equations: Mapping[str, FixedEquations]
    lookups: Mapping[str, Matrices]
    tables: Mapping[str, tuple[Whole, Whole | None, int]]

    def whole_inputs(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return inputs as a step takes them: whole numbers of 16 bits, tokens as they are."""
        return {
            one.name: inputs[one.name].astype(np.int32)
            if one.kind == "token"
            else whole(inputs[one.name], self.fractions[one.name], STORED).astype(np.int16)
            for one in self.step.inputs
        }

    def meant(self, values: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return what whole numbers of quantities mean."""
        return {
            name: given if self.step.quantities[name].kind == "token" else meant(given, self.fractions[name])
            for name, given in values.items()
        }


def fixed_model(step: StepModel, sequences: Sequence[Mapping[str, npt.NDArray[Any]]], weights: str) -> FixedModel:
    """Return a model in fixed point, with formats for the numbers that it has on some data.

    Args:
        step: the model.
        sequences: of each the inputs by name, [T, n] or [T] tokens.
        weights: "int16" or "int8".

    Raises:
        UsageError: a stage has no fixed point, or numbers are too large.
        InputError: the data have numbers that fixed point has not.
    """
    if weights not in WEIGHTS:
        raise UsageError(f"fixed point has weights='int16' or weights='int8'; got weights={weights!r}")
    for stage in step.stages:
        if not isinstance(stage, Equations | Lookup | Softmax | Delay | Join):
            raise UsageError(
                f"fixed point has no stage such as {stage.gives.name!r} ({type(stage).__name__}): compute it before, "
                "and export the network that reads it"
            )
    for stage in step.stages:
        _demand_finite(stage)
    ranges = ranges_of(step, sequences)
    fractions = _fractions(step, ranges)
    lookups = {
        stage.gives.name: Matrices(weights, float(np.abs(stage.table).max(initial=0)))
        for stage in step.stages
        if isinstance(stage, Lookup)
    }
    tables = {
        stage.gives.name: (*lookups[stage.gives.name].stored(stage.table), lookups[stage.gives.name].fraction)
        for stage in step.stages
        if isinstance(stage, Lookup)
    }
    equations = {
        stage.gives.name: FixedEquations(stage, ranges, fractions, weights)
        for stage in step.stages
        if isinstance(stage, Equations)
    }
    return FixedModel(step, weights, fractions, equations, lookups, tables)


def _demand_finite(stage: Stage) -> None:
    arrays = {"table": stage.table} if isinstance(stage, Lookup) else getattr(stage, "parameters", {})
    for name, values in arrays.items():
        demand_finite(f"{stage.gives.name}.{name}", values)


def _fractions(step: StepModel, ranges: Ranges) -> dict[str, int]:
    found = {
        one.name: 0 if one.kind == "token" else fraction_for(ranges.quantities[one.name], STORED) for one in step.inputs
    }
    for stage in step.stages:
        name = stage.gives.name
        if isinstance(stage, Lookup):
            found[name] = fraction_for(float(np.abs(stage.table).max(initial=0)), STORED, 1.0)  # the rows of all tokens
        elif isinstance(stage, Softmax):
            found[name] = STORED
        elif isinstance(stage, Delay):
            found[name] = found[stage.reads]
        elif isinstance(stage, Join):
            found[name] = min(found[one] for one in stage.reads)
        else:
            found[name] = fraction_for(ranges.quantities[name], STORED)
    return found
