"""The ranges of all numbers of a model on data of the user's: what decides where their points are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.equations import Key
from loopcell.errors import InputError
from loopcell.export.c.fixed.numbers import STORED, demand_size, fraction_for
from loopcell.export.step_model import Equations, Output, StepModel, StepRun
from loopcell.export.step_model.checks import RANGE_STEPS
from loopcell.export.step_model.evaluate import Doubles, evaluate


@dataclass(frozen=True, eq=False)
class Ranges:
    """The largest magnitudes.

    Attributes:
        quantities: by name.
        states: by STAGE.STATE.
        nodes: of each value of a stage of equations, by the stage's name, in the order of its graph.
    """

    quantities: Mapping[str, float]
    states: Mapping[str, float]
    nodes: Mapping[str, tuple[float, ...]]


class _Watched(StepRun):
    """Steps in double precision that note how large every value gets."""

    def __init__(self, model: StepModel) -> None:
        self.nodes: dict[str, npt.NDArray[np.float64]] = {}
        super().__init__(model)

    def _equations(self, stage: Equations, known: Mapping[str, Any]) -> Doubles:
        own = stage.gives.name
        all_nodes = {Key("output", str(index)): index for index in range(len(stage.graph.nodes))}
        leaves: dict[Key, Any] = {Key("parameter", name): np.float64(v) for name, v in stage.parameters.items()}
        leaves |= {Key("input", name): known[reads] for name, reads in stage.reads.items()}
        leaves |= {Key("state", name): self.state[f"{own}.{name}"] for name in stage.states}
        values = evaluate(replace(stage.graph, results=all_nodes), leaves, stage.sizes)
        found = np.array([np.abs(value).max(initial=0.0) for value in values.values()])
        self.nodes[own] = np.maximum(found, self.nodes.get(own, 0.0))
        return super()._equations(stage, known)


def ranges_of(model: StepModel, sequences: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Ranges:
    """Return how large all numbers of a model get on sequences of inputs, [T, n] or [T] tokens.

    Each sequence is read from a fresh state, and of all together the first `RANGE_STEPS` steps are taken. Inputs have
    the range of all their steps.

    Raises:
        InputError: a number is missing or not finite, or those of one input differ too much in size for one format.
        UsageError: a number is too large for fixed point.
    """
    whole = {name: np.concatenate([one[name] for one in sequences]) for name in sequences[0]}
    for name, values in whole.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the data of {name!r} have a number that is missing or not finite; fixed point has neither"
            )
        _demand_like_sizes(name, values)
    run, quantities, states = _Watched(model), dict.fromkeys(model.quantities, 0.0), dict.fromkeys(model.states, 0.0)
    run.model = replace(model, outputs=tuple(Output(stage.gives.name) for stage in model.stages))
    quantities |= {name: float(np.abs(values).max(initial=0)) for name, values in whole.items()}
    for known in _steps(run, sequences):
        for name, value in (known | run.step(**known)).items():
            quantities[name] = max(quantities[name], float(np.abs(value).max(initial=0)))
        for name, state in run.state.items():
            states[name] = max(states[name], float(np.abs(state).max(initial=0)))
    nodes = {name: tuple(float(value) for value in found) for name, found in run.nodes.items()}
    for name, largest in quantities.items():
        demand_size(f"the numbers of {name!r}", largest)
    for name, found in nodes.items():
        demand_size(f"the numbers of the stage {name!r}", max(found, default=0.0))
    return Ranges(quantities, states, nodes)


def _steps(run: StepRun, sequences: Sequence[Mapping[str, npt.NDArray[Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the inputs of the first steps of all sequences, with the run at rest before each sequence."""
    left = RANGE_STEPS
    for inputs in sequences:
        run.reset()
        steps = min(left, len(next(iter(inputs.values()))))
        for step in range(steps):
            yield {name: values[step] for name, values in inputs.items()}
        left -= steps
        if not left:
            return


def _demand_like_sizes(name: str, values: npt.NDArray[Any]) -> None:
    """Refuse an input one of whose numbers hardly moves in the format that the largest one needs."""
    if values.dtype.kind != "f" or values.ndim != 2:
        return
    step = 2.0 ** -fraction_for(float(np.abs(values).max(initial=0.0)), STORED)
    spread = values.std(0)
    for place in np.flatnonzero((spread > 0) & (spread < _LEVELS * step)):
        raise InputError(
            f"{name}[{place}] varies by {spread[place]:.3g}, and one step of the 16 bits that hold the largest number "
            f"of {name!r}, {np.abs(values).max():.6g}, is {step:.3g}: bring the numbers of an input to like sizes first"
        )


_LEVELS = 8
