"""FixedRun: a model's step in whole numbers, in Python, with the bits of the C."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from loopcell.equations import Key
from loopcell.errors import InputError
from loopcell.export.c.fixed.lowering import BOUNDED, FUNCTIONS, FixedEquations, Table
from loopcell.export.c.fixed.model import FixedModel
from loopcell.export.c.fixed.numbers import ON_THE_WAY, STORED, Whole, limit, narrow
from loopcell.export.c.fixed.plain_stages import delayed, joined, looked_up, shares
from loopcell.export.step_model import Delay, Equations, Join, Lookup, Softmax, Stage

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "neg": np.negative,
    "abs": np.abs,
    "relu": lambda v: np.maximum(v, 0),
    "sum": np.sum,
    "sized": lambda v: v,
}
"""Operations over numbers of one fraction."""


class FixedRun:
    """A model that takes steps in whole numbers.

    Args:
        model: what it computes.

    Attributes:
        state: by STAGE.STATE, whole numbers of 16 bits.
    """

    def __init__(self, model: FixedModel) -> None:
        self.model = model
        self._matrices = {
            name: {
                key: stage.matrices.stored(value) for key, value in stage.stage.parameters.items() if value.ndim == 2
            }
            for name, stage in model.equations.items()
        }
        self.reset()

    def reset(self) -> None:
        """Start afresh."""
        self.state = {name: np.zeros(size, np.int64) for name, size in self.model.step.states.items()}

    def step(self, **inputs: Any) -> dict[str, Whole]:
        """Take a step over whole numbers; gives the outputs by name."""
        known: dict[str, Whole] = {
            one.name: np.asarray(inputs[one.name], np.int64).reshape(-1) for one in self.model.step.inputs
        }
        for stage in self.model.step.stages:
            known[stage.gives.name] = self._stage(stage, known)
        return {output.name: known[output.name] for output in self.model.step.outputs}

    def _stage(self, stage: Stage, known: Mapping[str, Whole]) -> Whole:
        model, own = self.model, stage.gives.name
        if isinstance(stage, Equations):
            return self._equations(model.equations[own], known)
        if isinstance(stage, Lookup):
            token = int(known[stage.reads][0])
            if not 0 <= token < len(stage.table):
                raise InputError(f"token {token} is not one of 0 to {len(stage.table) - 1}")
            return looked_up(model.tables[own], token, stage, model.fractions[own])
        if isinstance(stage, Softmax):
            return shares(known[stage.reads], model.fractions[stage.reads])
        if isinstance(stage, Delay):
            return delayed(stage, known[stage.reads], self.state)
        assert isinstance(stage, Join)  # others have been refused
        return joined(stage, known, model.fractions)

    def _equations(self, stage: FixedEquations, known: Mapping[str, Whole]) -> Whole:
        own, graph = stage.stage.gives.name, stage.graph
        values: list[Any] = []
        for index, node in enumerate(graph.nodes):
            if node.op in ("constant", "size"):
                values.append(np.int64(stage.constants[index]))
            elif node.op == "parameter":
                vector = stage.vectors.get(node.name)
                values.append(node.name if vector is None else vector if node.dims else vector[0])
            elif node.op == "input":
                values.append(known[stage.stage.reads[node.name]])
            elif node.op == "state":
                state = self.state[f"{own}.{node.name}"]
                values.append(state if node.dims else state[0])
            else:
                values.append(self._value(stage, index, [values[arg] for arg in node.args]))
        stored = {
            key: narrow(values[index], stage.formats[index].fraction - stage.target(key), STORED)
            for key, index in graph.results.items()
        }
        for name, size in stage.stage.states.items():
            self.state[f"{own}.{name}"] = np.broadcast_to(stored[Key("state", name)], (size,)).copy()
        return np.broadcast_to(stored[Key("output")], (stage.stage.gives.size,)).copy()

    def _value(self, stage: FixedEquations, index: int, values: list[Any]) -> Whole:
        node, own = stage.graph.nodes[index], stage.formats[index]
        if node.op in FUNCTIONS:
            return self._function(stage, index, values[0])
        if node.op == "matmul":
            weights, multipliers = self._matrices[stage.stage.gives.name][values[0]]
            total = weights @ values[1]
            return narrow(
                total if multipliers is None else total * multipliers, stage.natural(index) - own.fraction, own.bits
            )
        fractions = [stage.formats[arg].fraction for arg in node.args]
        if node.op == "mul":
            found = values[0] * values[1]
        elif node.op == "div":
            inverse = stage.inverses.get(index)
            found = ratio(*values) if inverse is None else values[0] * inverse.values
        elif node.op == "sqrt":
            found = root(values[0] << (2 * stage.natural(index) - fractions[0]))
        else:
            together = max(fractions[1:] if node.op == "where" else fractions)
            lifted = [value << max(0, together - one) for value, one in zip(values, fractions, strict=True)]
            if node.op == "greater":
                return np.asarray(lifted[0] > lifted[1], np.int64) << own.fraction
            if node.op == "where":
                found = np.where(values[0] != 0, lifted[1], lifted[2])
            elif node.op == "expand":
                found = np.broadcast_to(lifted[0], (stage.stage.sizes[node.name],))
            else:
                found = ARITHMETIC[node.op](*lifted)
        return narrow(found, stage.natural(index) - own.fraction, own.bits)

    def _function(self, stage: FixedEquations, index: int, argument: Whole) -> Whole:
        table, own = stage.tables[index], stage.formats[index]
        given = stage.formats[stage.graph.nodes[index].args[0]]
        found = interpolated(table, narrow(argument, given.fraction - table.argument, ON_THE_WAY))
        return narrow(found, table.result - own.fraction, own.bits)


def interpolated(table: Table, argument: Whole) -> Whole:
    """Return a function of arguments of 23 bits."""
    if table.op not in BOUNDED:
        return between(table.values, argument + (1 << ON_THE_WAY), 15)
    found = between(table.values, np.abs(argument), 14)
    return np.where(argument < 0, (1 << ON_THE_WAY if table.op == "sigmoid" else 0) - found, found)


def between(entries: Whole, at: Whole, bits: int) -> Whole:
    """Interpolate between the two entries around a place, `bits` of which are the way from one to the next."""
    interval, rest = at >> bits, at & limit(bits)
    first = entries[interval]
    found: Whole = first * 256 + (((entries[interval + 1] - first) * rest + (1 << (bits - 9))) >> (bits - 8))
    return found


def ratio(left: Whole, right: Whole) -> Whole:
    """Return left / right with 23 bits more of a fraction, rounded towards zero; by zero it is larger than all."""
    safe = np.where(right == 0, 1, right)
    quotient = np.abs(left << ON_THE_WAY) // np.abs(safe) * np.sign(left) * np.sign(safe)
    return np.where(right == 0, np.where(left < 0, -1, 1) * np.int64(1 << 46), quotient)


def root(numbers: Whole) -> Whole:
    """Return square roots, rounded down; 0 of what is negative."""
    flat = [math.isqrt(max(0, int(number))) for number in np.reshape(numbers, -1)]
    return np.array(flat, np.int64).reshape(np.shape(numbers))
