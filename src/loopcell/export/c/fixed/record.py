"""The proof of an export in fixed point: the C beside the same whole numbers in Python, and these beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import CheckFailed, UsageError
from loopcell.export.c.fixed.model import FixedModel, fixed_model
from loopcell.export.c.fixed.run import FixedRun
from loopcell.export.c.fixed.source import FixedForm, FixedSource
from loopcell.export.c.verify import Recorded, checked
from loopcell.export.rounding import difference, stepped
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.export.step_model.checks import Data, demand_data
from loopcell.export.verifying import OWN, TakesSteps, demand_own

Arrays = Mapping[str, npt.NDArray[Any]]
_USELESS = 0.1
"""The error, of the largest answer, beyond which nobody would call it the same model."""


def fixed_source(step: StepModel, name: str, weights: str, store: str, data: Data | None) -> tuple[FixedSource, Arrays]:
    """Return a model in fixed point in C, and the first sequence of the data, all of which decide where its points are.

    Raises:
        UsageError: there are no data, or a stage has no fixed point.
        InputError: the data do not fit the model, or have numbers that fixed point has not.
    """
    if data is None:
        raise UsageError(
            "fixed point needs data: where the point of each number is follows from how large it gets; say data=..., a "
            "sequence for each input such as the model will meet"
        )
    demand_data(data)
    inputs = checked(step, data.inputs if isinstance(data, StepCheck) else data)
    sequences = data.sequences if isinstance(data, StepCheck) else (data,)
    fixed = fixed_model(step, [checked(step, one, None) for one in sequences], weights)
    return FixedSource(step, name, FixedForm(weights), store, fixed=fixed), inputs


def record_fixed(source: FixedSource, check: StepCheck, inputs: Arrays) -> Recorded:
    """Record what a model answers in whole numbers.

    Args:
        source: the model.
        check: the model's own runs.
        inputs: what they are of, as the step reads them.

    Raises:
        CheckFailed: these are far from the answers of the model, or the model's own answers are others.
    """
    numbers = source.fixed.whole_inputs(inputs)
    answers = run_fixed(source.fixed, numbers)
    exact = stepped(source.model, inputs)
    own = demand_own(check, exact, OWN)
    error = difference(source.fixed.meant(answers), exact)
    largest = max(float(np.abs(values).max(initial=0)) for values in exact.values())
    if not error <= _USELESS * max(largest, 2.0**-10):
        raise CheckFailed(
            f"in fixed point with weights={source.fixed.weights!r} the answers are off by {error:.3g}, of "
            f"{largest:.3g} at most: it is not the model any more; take weights='int16', or the arithmetic of floats"
        )
    further = tuple(record_fixed(source, one, checked(source.model, one.inputs)) for one in check.further)
    return Recorded(numbers, answers, 0.0, error, own, further=further)


def run_fixed(fixed: FixedModel, numbers: Arrays) -> dict[str, npt.NDArray[np.int64]]:
    """Take a step for each row of whole numbers, in Python."""
    run = FixedRun(fixed)
    steps = len(next(iter(numbers.values())))
    rows = [run.step(**{name: values[at] for name, values in numbers.items()}) for at in range(steps)]
    return {output.name: np.array([row[output.name] for row in rows]) for output in fixed.step.outputs}


@dataclass(frozen=True)
class InValues:
    """A program in fixed point that takes and gives what its numbers mean."""

    program: TakesSteps
    fixed: FixedModel

    def steps(self, inputs: Arrays, again: int = 0) -> Arrays:
        """Take a step for each row."""
        return self.fixed.meant(self.program.steps(self.fixed.whole_inputs(inputs), again))


def in_values(source: FixedSource, recorded: Recorded) -> Recorded:
    """Return what was recorded, with inputs as the values that they mean."""
    return replace(recorded, inputs=source.fixed.meant(recorded.inputs))
