"""The graph of one step: nodes in the order of computation, each value written once.

`Builder` makes graphs; equal nodes become one (common subexpressions need no pass of their own).
`Value` is a handle on a node with Python's operators, so that equations, derivatives and passes are
all written as mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn

from loopcell.equations.ops import LEAVES
from loopcell.equations.shapes import Shape, shape_of
from loopcell.errors import TraceError


@dataclass(frozen=True)
class Line:
    """Where in the user's source a node was written."""

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
    def key(self) -> str:
        """A leaf's key, such as "state.h" or "parameter.W.i"."""
        return f"{self.op}.{self.name}"

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
        results: what the step gives, by key: "output", "state.h", "hoisted.i", ...
    """

    name: str
    nodes: tuple[Node, ...]
    results: Mapping[str, int]

    def leaves(self, *ops: str) -> Iterator[tuple[int, Node]]:
        """Yield the leaves of the kinds `ops` (all kinds if none is named), in order."""
        wanted = ops or tuple(LEAVES)
        return ((index, node) for index, node in enumerate(self.nodes) if node.op in wanted)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in the author's order."""
        return tuple(key.removeprefix("state.") for key in self.results if key.startswith("state."))

    @property
    def parameters(self) -> dict[str, Shape]:
        """Shapes of the learned parameters, by name such as "W.i", in order of first use."""
        return {node.name: node.dims for _, node in self.leaves("parameter")}

    @property
    def is_random(self) -> bool:
        """Whether training draws random numbers for this cell."""
        return any(node.op == "random" or (node.op == "parameter" and node.value) for node in self.nodes)


class Value:
    """A value of the step while equations are being written or rewritten."""

    __slots__ = ("builder", "index")
    __array_priority__ = 1000  # numpy scalars on the left defer to our operators

    def __init__(self, builder: Builder, index: int) -> None:
        self.builder = builder
        self.index = index

    @property
    def node(self) -> Node:
        """The node behind this handle."""
        return self.builder.nodes[self.index]

    def __add__(self, other: Operand) -> Value:
        return self.builder.apply("add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self.builder.apply("add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self.builder.apply("sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self.builder.apply("sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.builder.apply("mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self.builder.apply("mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self.builder.apply("div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.builder.apply("div", other, self)

    def __matmul__(self, other: Value) -> Value:
        return self.builder.apply("matmul", self, other)

    def __neg__(self) -> Value:
        return self.builder.apply("neg", self)

    def __abs__(self) -> Value:
        return self.builder.apply("abs", self)

    def __gt__(self, other: Operand) -> Value:
        return self.builder.apply("greater", self, other)

    def __lt__(self, other: Operand) -> Value:
        return self.builder.apply("greater", other, self)

    def __pow__(self, exponent: int) -> Value:
        if exponent != int(exponent) or exponent < 1:
            self._refuse(f"a power of {exponent!r}", "use a whole power of at least 1, or exp and log")
        result = self
        for _ in range(int(exponent) - 1):
            result = result * self
        return result

    def __bool__(self) -> bool:  # noqa: PLE0304 - it never returns
        self._refuse(
            "a decision on a traced value", "use where(condition, a, b): a cell has no data at hand when it is read"
        )

    def __iter__(self) -> Iterator[Value]:
        self._refuse("a loop over a traced value", "equations work on whole vectors")

    def __getitem__(self, _: object) -> Value:
        self._refuse("an index into a traced value", "equations work on whole vectors; use one parameter per part")

    def __float__(self) -> float:
        self._refuse(
            "a number from a traced value", "keep to the operators and loopcell's functions (sigmoid, tanh, exp, ...)"
        )

    __int__ = __float__
    __index__ = __float__

    def _refuse(self, what: str, advice: str) -> NoReturn:
        raise TraceError(self.builder.located(f"{what} cannot be part of an equation; {advice}"))


Operand = Value | float | int


class Builder:
    """Makes a graph node by node; equal nodes become one.

    With `typed` every node gets its shape at once (passes); without, shapes stay None (tracing).
    """

    def __init__(self, *, typed: bool = True) -> None:
        self.nodes: list[Node] = []
        self.labels: dict[int, str] = {}
        self._index: dict[Node, int] = {}
        self._typed = typed

    def add(self, node: Node) -> Value:
        """Add `node`, or find the equal node that is there already."""
        index = self._index.get(node)
        if index is None:
            index = self._index[node] = len(self.nodes)
            self.nodes.append(replace(node, label=""))
            if node.label:
                self.labels[index] = node.label
        return Value(self, index)

    def leaf(
        self, op: str, name: str, shape: Shape | None = None, *, value: float = 0.0, random: Bernoulli | None = None
    ) -> Value:
        """Add a leaf."""
        return self.add(Node(op, (), shape, name, value, random, line=self.line()))

    def constant(self, number: float) -> Value:
        """Add a constant."""
        return self.add(Node("constant", (), (), value=float(number)))

    def apply(self, op: str, *operands: Operand, name: str = "") -> Value:
        """Apply `op`; sums with 0 and products with 1 vanish, so that passes may be careless with them."""
        values = [self._value(op, operand) for operand in operands]
        if self._typed and (simpler := _simplified(op, values)) is not None:
            return simpler
        args = tuple(value.index for value in values)
        given: Shape = (name,) if name else ()
        shape = shape_of(op, [self.nodes[arg].dims for arg in args], given) if self._typed else None
        return self.add(Node(op, args, shape, name, line=self.line()))

    def label(self, value: Value, name: str) -> None:
        """Give a value its author's name; the first name stays."""
        self.labels.setdefault(value.index, name)

    def build(self, name: str, results: Mapping[str, Value]) -> Graph:
        """Return the graph of what `results` need; everything else is left out."""
        kept = _reachable(self.nodes, [value.index for value in results.values()])
        place = {old: new for new, old in enumerate(kept)}
        nodes = tuple(
            replace(node, args=tuple(place[arg] for arg in node.args), label=self.labels.get(old, ""))
            for old, node in ((old, self.nodes[old]) for old in kept)
        )
        return Graph(name, nodes, {key: place[value.index] for key, value in results.items()})

    def line(self) -> Line | None:
        """Where the user is writing now; only tracing knows."""
        return None

    def located(self, message: str) -> str:
        """Put the place in the user's source before a message; only tracing knows it."""
        return message

    def _value(self, op: str, operand: object) -> Value:
        if isinstance(operand, Value):
            if operand.builder is not self:
                raise TraceError(
                    self.located("a value of another cell's equations appears here; pass it as an argument")
                )
            return operand
        if isinstance(operand, (int, float)) and not isinstance(operand, bool):
            return self.constant(operand)
        raise TraceError(
            self.located(
                f"{type(operand).__name__} cannot be an operand of {op}; "
                "use the cell's arguments, numbers and loopcell's functions"
            )
        )


def _simplified(op: str, values: list[Value]) -> Value | None:
    """Return what `op` reduces to when an operand is the constant 0 or 1 that changes nothing."""
    if op == "add" and values[1].node.op == "neg":
        return values[0] - Value(values[0].builder, values[1].node.args[0])
    neutral = {"add": (0.0, 0.0), "sub": (None, 0.0), "mul": (1.0, 1.0), "div": (None, 1.0)}.get(op)
    if neutral is None:
        return None
    left, right = values
    if right.node.op == "constant" and right.node.value == neutral[1]:
        return left
    if left.node.op == "constant" and left.node.value == neutral[0]:
        return right
    return None


def _reachable(nodes: list[Node], roots: list[int]) -> list[int]:
    needed, stack = set(roots), list(roots)
    while stack:
        for arg in nodes[stack.pop()].args:
            if arg not in needed:
                needed.add(arg)
                stack.append(arg)
    return sorted(needed)


Rewrite = Callable[[int, Node, tuple[Value, ...]], Value | None]


def copy_into(builder: Builder, graph: Graph, rewrite: Rewrite) -> list[Value]:
    """Copy `graph` into `builder`, node by node, and return the new values by old position.

    `rewrite(index, node, new operands)` may return what takes a node's place, or None for a plain copy.
    """
    copied: list[Value] = []
    for index, node in enumerate(graph.nodes):
        operands = tuple(copied[arg] for arg in node.args)
        replaced = rewrite(index, node, operands)
        value = _same(builder, node, operands) if replaced is None else replaced
        if node.label:
            builder.label(value, node.label)
        copied.append(value)
    return copied


def _same(builder: Builder, node: Node, operands: tuple[Value, ...]) -> Value:
    if node.op in LEAVES:
        return builder.add(node)
    return builder.apply(node.op, *operands, name=node.name)
