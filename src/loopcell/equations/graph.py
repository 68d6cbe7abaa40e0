"""The graph of one step: nodes in the order of computation, each value written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from loopcell.equations.keys import Key, Kind
from loopcell.equations.ops import LEAVES
from loopcell.equations.shapes import Shape
from loopcell.errors import TraceError


@dataclass(frozen=True)
class Line:
    """The place in the user's source where a node was written."""

    file: str
    number: int
    source: str


@dataclass(frozen=True)
class Bernoulli:
    """A random leaf: `scale` with `probability`, else 0; drawn at each "step" or once a "sequence"."""

    probability: float
    scale: float
    each: Literal["step", "sequence"]

    @property
    def mean(self) -> float:
        """The expectation, which takes the place of the draw in evaluation."""
        return self.probability * self.scale


@dataclass(frozen=True)
class Node:
    """One value of one step.

    Attributes:
        op: a name of the op table.
        args: the operands' positions in the graph, all smaller than this node's.
        shape: names of sizes; None only between tracing and verification.
        name: identity of a leaf, such as "h" or "W.i"; the size's name for `size`, `sized` and `expand`.
        value: a constant's number; for a parameter, the probability with which training drops its entries.
        random: what a random leaf draws.
        label: the name that the author gave the value; says nothing about what it computes.
        line: where it was written.
    """

    op: str
    args: tuple[int, ...] = ()
    shape: Shape | None = None
    name: str = ""
    value: float = 0.0
    random: Bernoulli | None = None
    label: str = field(default="", compare=False)
    line: Line | None = field(default=None, compare=False)

    @property
    def key(self) -> Key:
        """A leaf's key, such as state.h or parameter.W.i."""
        return Key(cast(Kind, self.op), self.name)  # leaves alone are asked for it, and their ops are kinds

    @property
    def dims(self) -> Shape:
        """The shape of a verified node."""
        if self.shape is None:
            raise TraceError("this graph has not been verified yet")
        return self.shape


@dataclass(frozen=True)
class Graph:
    """One step as nodes in the order of computation.

    Attributes:
        name: the cell's name.
        nodes: every node's operands stand before it.
        results: what the step gives, by key: output, state.h, hoisted.i, ...
    """

    name: str
    nodes: tuple[Node, ...]
    results: Mapping[Key, int]

    def leaves(self, *ops: str) -> Iterator[tuple[int, Node]]:
        """Yield the leaves of the kinds `ops` (all kinds if none is named), in order."""
        wanted = ops or tuple(LEAVES)
        return ((index, node) for index, node in enumerate(self.nodes) if node.op in wanted)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in the author's order."""
        return tuple(key.name for key in self.results if key.kind == "state")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the step reads, in the author's order."""
        return tuple(node.name for _, node in self.leaves("input"))

    @property
    def declared_sizes(self) -> dict[Key, str]:
        """Names of the sizes of inputs and states, by key; "" where an input is one number."""
        inputs = {node.key: "".join(node.dims) for _, node in self.leaves("input")}
        return inputs | {key: self.size_of(key) for key in self.results if key.kind == "state"}

    def result(self, kind: Kind, name: str = "") -> int:
        """Return the position of a result, such as that of "output" or of the new "state" "h"."""
        return self.results[Key(kind, name)]

    def size_of(self, key: Key) -> str:
        """Return the name of a result's size; "" where it is one number."""
        dims = self.nodes[self.results[key]].dims
        return dims[0] if dims else ""

    @property
    def parameters(self) -> dict[str, Shape]:
        """Shapes of the learned parameters, by name such as "W.i", in order of first use."""
        return {node.name: node.dims for _, node in self.leaves("parameter")}

    @property
    def is_random(self) -> bool:
        """True if training draws random numbers for this cell."""
        return any(node.op == "random" or (node.op == "parameter" and node.value) for node in self.nodes)

    def name_of(self, index: int) -> str:
        """Return a name for a computed value: its author's, else "U_n_h" for the product U.n @ h, else its number."""
        node = self.nodes[index]
        if node.label or node.op != "matmul":
            return node.label or f"t{index}"
        matrix, vector = (self.nodes[arg] for arg in node.args)
        return f"{matrix.name}_{vector.label or vector.name or 'v'}".replace(".", "_")

    def count_uses(self) -> Counter[int]:
        """Return how often each value is an operand or a result, by position."""
        operands = Counter(arg for node in self.nodes for arg in node.args)
        return operands + Counter(self.results.values())

    def deep_values(self, most: int = 25) -> set[int]:
        """Return where an expression must be cut by a name, so that none is nested deeper than `most`."""
        depths: list[int] = []
        cuts: set[int] = set()
        for index, node in enumerate(self.nodes):
            depth = 1 + max((depths[arg] for arg in node.args), default=0)
            if depth > most:
                cuts.add(index)
            depths.append(0 if node.label or depth > most else depth)
        return cuts

    def dependents(self, op: str) -> set[int]:
        """Return the positions of the leaves of kind `op` and of all that depends on them."""
        found: set[int] = set()
        for index, node in enumerate(self.nodes):
            if node.op == op or found.intersection(node.args):
                found.add(index)
        return found
