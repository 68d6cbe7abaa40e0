"""StepRun: a model's step in NumPy and double precision, straight from the graphs, to hold every target against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.equations import Graph, Key
from loopcell.errors import InputError
from loopcell.export.step_model.stages import Delay, Equations, Join, Lookup, MelBands, Slice, Softmax, Stage, StepModel

Doubles: TypeAlias = npt.NDArray[np.float64]

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "sigmoid": lambda v: np.exp(-np.logaddexp(0.0, -v)),
    "tanh": np.tanh,
    "relu": lambda v: np.where(v > 0, v, v * 0.0),  # NaN stays NaN
    "exp": np.exp,
    "log": np.log,
    "softplus": lambda v: np.logaddexp(v, 0.0),
    "sqrt": np.sqrt,
    "abs": np.abs,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "greater": lambda left, right: (left > right) * 1.0,
    "where": lambda condition, chosen, otherwise: np.where(condition != 0, chosen, otherwise),
    "matmul": np.matmul,
    "matmul_t": lambda *pairs: sum(matrix.T @ vector for matrix, vector in zip(pairs[::2], pairs[1::2], strict=True)),
    "sum": np.sum,
    "sized": lambda v: v,
}
"""NumPy's spelling of every op but `expand`, which asks for a size."""


class StepRun:
    """A model that takes steps in double precision; slow, and independent of kernels and of PyTorch.

    Args:
        model: what it computes.

    Attributes:
        state: by STAGE.STATE, float64.
    """

    def __init__(self, model: StepModel) -> None:
        self.model = model
        self._doubles = {
            stage.gives.name: {name: np.float64(value) for name, value in stage.parameters.items()}
            for stage in model.stages
            if isinstance(stage, Equations)
        }
        self.reset()

    def reset(self) -> None:
        """Start afresh."""
        self.state: dict[str, Doubles] = {name: np.zeros(size) for name, size in self.model.states.items()}

    def step(self, **inputs: npt.ArrayLike) -> dict[str, Doubles]:
        """Take a step; gives the outputs by name.

        Raises:
            InputError: an input is missing, unknown, of another length or no number.
        """
        known: dict[str, Any] = {}
        names = [quantity.name for quantity in self.model.inputs]
        if sorted(inputs) != sorted(names):
            raise InputError(f"a step of {self.model.name!r} takes {', '.join(names)}; got {', '.join(inputs)}")
        for quantity in self.model.inputs:
            given = np.asarray(inputs[quantity.name])
            token = quantity.kind == "token"
            if given.dtype.kind not in ("iu" if token else "iufb"):
                kind = "the number of a token" if token else "numbers"
                raise InputError(f"the input {quantity.name!r} takes {kind}; got {given.dtype}")
            value = given.astype(np.int64 if token else np.float64).reshape(-1)
            if value.shape != (quantity.size,):
                raise InputError(f"the input {quantity.name!r} has {quantity.size} numbers; got {value.size}")
            known[quantity.name] = value
        for stage in self.model.stages:
            known[stage.gives.name] = self._stage(stage, known)
        return {output.name: known[output.name] for output in self.model.outputs}

    def _stage(self, stage: Stage, known: Mapping[str, Any]) -> Doubles:
        if isinstance(stage, Lookup):
            token = int(known[stage.reads][0])
            if not 0 <= token < len(stage.table):
                raise InputError(f"token {token} is not one of 0 to {len(stage.table) - 1}")
            return np.asarray(stage.table[token], np.float64)
        if isinstance(stage, Softmax):
            powers = np.exp(known[stage.reads] - known[stage.reads].max())
            return np.asarray(powers / powers.sum())
        if isinstance(stage, MelBands):
            spectrum = np.fft.rfft(known[stage.reads] * np.float64(stage.window), stage.fft_size)
            return np.asarray(np.log(np.maximum(np.float64(stage.bank) @ np.abs(spectrum) ** 2, stage.floor)))
        if isinstance(stage, Join):
            return np.concatenate([known[name] for name in stage.reads])
        if isinstance(stage, Slice):
            return np.asarray(known[stage.reads][stage.start : stage.start + stage.gives.size])
        return self._delayed(stage, known) if isinstance(stage, Delay) else self._equations(stage, known)

    def _delayed(self, stage: Delay, known: Mapping[str, Any]) -> Doubles:
        recent, begun = (f"{stage.gives.name}.{name}" for name in ("recent", "begun"))
        now = known[stage.reads]
        before = self.state[recent] if self.state[begun][0] else np.tile(now, stage.steps)
        self.state[recent], self.state[begun] = np.concatenate([before[len(now) :], now]), np.ones(1)
        return self.state[recent]

    def _equations(self, stage: Equations, known: Mapping[str, Any]) -> Doubles:
        own = stage.gives.name
        leaves: dict[Key, Any] = {Key("parameter", name): value for name, value in self._doubles[own].items()}
        leaves |= {Key("input", name): known[reads] for name, reads in stage.reads.items()}
        leaves |= {Key("state", name): self.state[f"{own}.{name}"] for name in stage.states}
        results = evaluate(stage.graph, leaves, stage.sizes)
        for name in stage.states:
            self.state[f"{own}.{name}"] = np.broadcast_to(results[Key("state", name)], (stage.states[name],)) * 1.0
        return np.asarray(np.broadcast_to(results[Key("output")], (stage.gives.size,)) * 1.0)


def evaluate(graph: Graph, leaves: Mapping[Key, Any], sizes: Mapping[str, int]) -> dict[Key, Any]:
    """Return a graph's results from its leaves: vectors [n], numbers as they are."""
    values: list[Any] = []
    with np.errstate(all="ignore"):  # overflow and NaN go their way, as in every other path
        for node in graph.nodes:
            operands = [values[arg] for arg in node.args]
            if node.op == "constant":
                values.append(node.value)
            elif node.op == "size":
                values.append(float(sizes[node.name]))
            elif not node.args:
                found = leaves[node.key]
                values.append(found if node.dims else np.reshape(found, ()))
            elif node.op == "expand":
                values.append(np.broadcast_to(operands[0], (sizes[node.name],)))
            else:
                values.append(OPERATIONS[node.op](*operands))
    return {key: values[index] for key, index in graph.results.items()}
