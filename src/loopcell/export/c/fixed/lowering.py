"""A stage of equations in whole numbers: the format of every value, and what stands in tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.equations.graph import Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.errors import UsageError
from loopcell.export.c.fixed.bounds import bounds_of
from loopcell.export.c.fixed.numbers import (
    HEADROOM,
    ON_THE_WAY,
    SPARE,
    STORED,
    UP,
    Matrices,
    Whole,
    fraction_for,
    whole,
)
from loopcell.export.c.fixed.ranges import Ranges
from loopcell.export.step_model import Equations
from loopcell.export.step_model.evaluate import OPERATIONS
from loopcell.passes.sweeps import sweeps

BOUNDED = {"sigmoid": 19, "tanh": 20}
"""Functions that are flat beyond a bound, 16 and 8, with the fraction of their argument. Tables begin at 0."""
FUNCTIONS = (*BOUNDED, "exp", "log", "softplus")
ALIGNED = ("add", "sub", "minimum", "maximum", "neg", "abs", "relu", "expand", "sized", "sum", "where")
"""Operations whose operands are brought to one fraction first."""
INTERVALS = 512
ROOM = 38
"""Bits by which a number is shifted up before its root is taken, or one less: 23 and these are within 62."""


@dataclass(frozen=True)
class Format:
    """The format of a value.

    Attributes:
        fraction: f, of q 2^-f.
        bits: of q, beside its sign.
        quiet: it is clipped without a word, since all that reads it is flat beyond.
    """

    fraction: int
    bits: int = ON_THE_WAY
    quiet: bool = False


@dataclass(frozen=True)
class Table:
    """A function at the ends of INTERVALS intervals, from which it is interpolated.

    Attributes:
        op: the function.
        argument: the fraction of its argument, of 23 bits.
        result: the fraction of its result, of 23 bits; that of an entry is 8 less.
    """

    op: str
    argument: int
    result: int

    @property
    def name(self) -> str:
        """Return the name of the array."""
        return f"table_{self.op}" if self.op in BOUNDED else f"table_{self.op}_{self.argument + 9}_{self.result + 9}"

    @cached_property
    def values(self) -> Whole:
        """Return the entries: of a bounded function from 0 on, of another from the least argument on."""
        grid = grid_of(self.op, self.argument)
        return whole(np.nan_to_num(exact(self.op, grid), nan=0.0), self.result - (ON_THE_WAY - STORED), STORED)


def grid_of(op: str, fraction: int) -> npt.NDArray[np.float64]:
    """Return the ends of a table's intervals."""
    begin = 0 if op in BOUNDED else -(2**ON_THE_WAY)
    return np.linspace(begin, 2**ON_THE_WAY, INTERVALS + 1) * 2.0**-fraction


def exact(op: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a function in double precision, also where it is not finite."""
    with np.errstate(all="ignore"):
        return np.asarray(OPERATIONS[op](values), np.float64)


@dataclass(frozen=True, eq=False)
class Inverse:
    """A factor in the place of a divisor: 1 / p of a parameter, a constant or a size.

    Attributes:
        name: of the parameter, or "" of a single number.
        values: in whole numbers.
        fraction: of these.
    """

    name: str
    values: Whole
    fraction: int


class FixedEquations:
    """A stage of equations with a format for each value.

    Args:
        stage: what is computed.
        ranges: how large its values get.
        fractions: of all quantities, by name.
        weights: "int16" or "int8".

    Attributes:
        formats: of each value, in the order of the graph.
        states: the fraction of each state.
        gives: the fraction of the output.
        constants: the numbers of constants and sizes, by value.
        vectors: the parameters that are no matrices, by name, on their way.
        inverses: by the value that is divided.
        tables: of the functions, by value.
        matrices: how matrices are stored.
    """

    def __init__(self, stage: Equations, ranges: Ranges, fractions: Mapping[str, int], weights: str) -> None:
        self.stage, self.graph = stage, stage.graph
        own = stage.gives.name
        self._largest = list(ranges.nodes[own])
        self._reads = {name: fractions[quantity] for name, quantity in stage.reads.items()}
        self.gives = fractions[own]
        self.states = {name: fraction_for(ranges.states[f"{own}.{name}"], STORED) for name in stage.states}
        matrices = [value for value in stage.parameters.values() if value.ndim == 2]
        self.matrices = Matrices(weights, max((float(np.abs(value).max(initial=0)) for value in matrices), default=0.0))
        self.operands = {node.args[1] for node in self.graph.nodes if node.op == "matmul"}
        self.constants: dict[int, int] = {}
        self.vectors: dict[str, Whole] = {}
        self.inverses: dict[int, Inverse] = {}
        self.tables: dict[int, Table] = {}
        self._share_products()
        self._bounds = bounds_of(self.graph, self._constant)
        self.formats: list[Format] = []
        for index, node in enumerate(self.graph.nodes):
            self.formats.append(self._format(index, node))

    def natural(self, index: int) -> int:
        """Return the fraction that a value has before it is brought to its own."""
        node = self.graph.nodes[index]
        fractions = [self.formats[arg].fraction for arg in node.args]
        if node.op == "mul":
            return sum(fractions)
        if node.op == "div":
            inverse = self.inverses.get(index)
            return fractions[0] + (inverse.fraction if inverse else ON_THE_WAY - fractions[1])
        if node.op == "matmul":
            return self.matrices.fraction + fractions[1]
        if node.op == "sqrt":
            return (fractions[0] + ROOM) // 2
        return max(fractions[1:] if node.op == "where" else fractions)

    def target(self, key: Key) -> int:
        """Return the fraction that a result is stored with."""
        return self.gives if key == OUTPUT else self.states[key.name]

    def _share_products(self) -> None:
        """Let products that are computed in one call have one format: that of the largest."""
        for sweep in sweeps(self.graph):
            for part in sweep.contractions:
                largest = max(self._largest[index] for index in part.results)
                for index in part.results:
                    self._largest[index] = largest

    def _format(self, index: int, node: Node) -> Format:
        if node.op in ("constant", "size"):
            value = self._constant(node)
            fraction = fraction_for(abs(value), ON_THE_WAY, 1.0)
            self.constants[index] = int(whole(value, fraction, ON_THE_WAY))
            return Format(fraction)
        if node.op == "parameter":
            return self._parameter(node)
        if not node.args:
            return Format(self._reads[node.name] if node.op == "input" else self.states[node.name], STORED)
        self._demand(node)
        return self._function(index, node) if node.op in FUNCTIONS else self._computed(index, node)

    def _parameter(self, node: Node) -> Format:
        value = self.stage.parameters[node.name]
        if value.ndim == 2:
            return Format(0)
        fraction = fraction_for(float(np.abs(value).max(initial=0)), ON_THE_WAY, 1.0)
        self.vectors[node.name] = whole(value.reshape(-1), fraction, ON_THE_WAY)
        return Format(fraction)

    def _demand(self, node: Node) -> None:
        own = self.stage.gives.name
        if node.op not in (*ALIGNED, *FUNCTIONS, "sqrt", "mul", "div", "greater", "matmul"):
            raise UsageError(f"fixed point has no arithmetic for `{node.op}`, which {own!r} needs")
        if node.op == "matmul" and self.graph.nodes[node.args[1]].op == "matmul":
            raise UsageError(f"fixed point has no product of a product, which {own!r} needs")

    def _computed(self, index: int, node: Node) -> Format:
        if node.op == "greater":
            return Format(ON_THE_WAY - 1)
        if node.op == "div":
            self._invert(index, self.graph.nodes[node.args[1]])
        # What is shifted up after it was computed gains nothing; a few bits keep numbers that cancel out in sight.
        most = self.natural(index) + UP
        if self._is_quiet(index, node):
            bounds = [BOUNDED[user.op] for user in self.graph.nodes if index in user.args]
            return Format(min(most, *bounds), quiet=True)
        bits = STORED if index in self.operands and node.op != "matmul" else ON_THE_WAY
        return Format(min(most, fraction_for(self._room(index), bits)), bits)

    def _room(self, index: int) -> float:
        """Return the number that a value has room for: its bound, where that is not far beyond what was seen."""
        seen, bound = self._largest[index], max(map(abs, self._bounds[index]))
        stored = index in self.operands
        return bound / HEADROOM if bound <= seen * (4 if stored else 64) else seen * (1 if stored else SPARE)

    def _is_quiet(self, index: int, node: Node) -> bool:
        """Say whether all that reads a value is flat beyond some bound."""
        readers = {user.op for user in self.graph.nodes if index in user.args}
        kept = index in self.operands or index in self.graph.results.values() or node.op == "matmul"
        return bool(readers) and readers <= set(BOUNDED) and not kept

    def _constant(self, node: Node) -> float:
        return float(node.value) if node.op == "constant" else float(self.stage.sizes[node.name])

    def _invert(self, index: int, divisor: Node) -> None:
        if divisor.op == "parameter":
            value: npt.NDArray[Any] = np.asarray(self.stage.parameters[divisor.name], np.float64).reshape(-1)
        elif divisor.op in ("constant", "size"):
            value = np.array([self._constant(divisor)])
        else:
            return
        if not value.all():
            raise UsageError(f"{self.stage.gives.name!r} divides by a number that is zero")
        fraction = fraction_for(float(np.abs(1 / value).max()), ON_THE_WAY, 1.0)
        name = divisor.name if divisor.op == "parameter" else ""
        self.inverses[index] = Inverse(name, whole(1 / value, fraction, ON_THE_WAY), fraction)

    def _function(self, index: int, node: Node) -> Format:
        argument = self.formats[node.args[0]]
        if node.op in BOUNDED:
            table = Table(node.op, BOUNDED[node.op], ON_THE_WAY)
        else:
            fraction = argument.fraction + ON_THE_WAY - argument.bits
            reached = exact(node.op, np.clip(grid_of(node.op, fraction), *self._bounds[node.args[0]]))
            largest = float(np.abs(reached[np.isfinite(reached)]).max(initial=0.0))
            table = Table(node.op, fraction, fraction_for(largest, ON_THE_WAY, 1.0))
        self.tables[index] = table
        narrow = ON_THE_WAY - STORED
        return Format(table.result - narrow, STORED) if index in self.operands else Format(table.result)
