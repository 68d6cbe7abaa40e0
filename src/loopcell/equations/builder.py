"""Making graphs: a builder in which equal nodes become one, and values with Python's operators.

Equations, derivatives and passes are all written as mathematics on values; a common subexpression needs no pass
of its own.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, NoReturn

from loopcell.equations.graph import Bernoulli, Graph, Line, Node
from loopcell.equations.keys import Key
from loopcell.equations.namespace import Namespace, refuse_bare
from loopcell.equations.ops import OPS
from loopcell.equations.shapes import Shape, shape_of
from loopcell.errors import TraceError


class Value:
    """A value of the step while equations are being written or rewritten."""

    __slots__ = ("builder", "index")

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

    def __ge__(self, other: object) -> Value:
        self._refuse("a comparison with >= or <=", "use > or <, which make a condition for where(condition, a, b)")

    __le__ = __ge__

    def __rpow__(self, other: object) -> Value:
        self._refuse("a power with a traced exponent", "use exp and log")

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

    def __call__(self, *_: object, **__: object) -> Value:
        """Refuse `W.i(x)`, as layers of torch.nn are written."""
        self._refuse("a call of a value", "a product with a parameter is written W.name @ value")

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_") or name in Value.__slots__:
            raise AttributeError(name)
        refuse_attribute(self, name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Value:
        """Let numpy's numbers stand in equations; refuse its functions."""
        op = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div"}.get(ufunc.__name__)
        if op is None or method != "__call__":
            self._refuse(f"numpy.{ufunc.__name__}", _use_ours(ufunc.__name__))
        return self.builder.apply(op, *inputs)

    @classmethod
    def __torch_function__(cls, function: Any, _types: Any, args: Any = (), _options: Any = None) -> Value:
        """Refuse torch's functions: they compute, and an equation has nothing to compute with yet."""
        name = getattr(function, "__name__", str(function))
        value = _first_value([*args, *(_options or {}).values()])
        if value is None:
            raise TraceError(f"torch.{name} cannot be part of an equation; {_use_ours(name)}")
        refuse(value.builder, f"torch.{name}", _use_ours(name))

    def _refuse(self, what: str, advice: str) -> NoReturn:
        refuse(self.builder, what, advice)


def refuse(builder: Builder, what: str, advice: str) -> NoReturn:
    """Say that something cannot be part of an equation, at the user's line."""
    raise TraceError(builder.located(f"{what} cannot be part of an equation; {advice}"))


class NoAttributeError(TraceError, AttributeError):
    """A value was asked for what it does not have, such as `h.T`; also what `hasattr` expects."""


def refuse_attribute(value: Value, name: str) -> NoReturn:
    """Say what to write in place of `value.name`; most often the `*` before the namespaces is missing."""
    node = value.node
    if name in OPS or name == "mean":
        advice = f"use loopcell's functions: loopcell.{'total' if name == 'sum' else name}"
    elif node.op in ("input", "state"):
        advice = (
            f"`{node.name}` is {'the input' if node.op == 'input' else 'a state'}; "
            f"namespaces of parameters stand behind a * in the arguments, as in (x, h, *, W, U, b)"
        )
    else:
        advice = "use the operators and loopcell's functions"
    shown = node.name if not node.args else "value"
    raise NoAttributeError(value.builder.located(f"{shown}.{name} cannot be part of an equation; {advice}"))


def _first_value(operands: Any) -> Value | None:
    """Return the first value among operands, in lists and tuples too."""
    for operand in operands:
        found = _first_value(operand) if isinstance(operand, (list, tuple)) else operand
        if isinstance(found, Value):
            return found
    return None


def _use_ours(name: str) -> str:
    return f"use loopcell's functions: loopcell.{name}" if name in OPS else "use loopcell's functions"


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
        self.borrowing = False  # whether what is added now was written by another cell's author

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
        """Add a constant; equations have no use for infinities and what is not a number."""
        if not math.isfinite(number):
            raise TraceError(self.located(f"{number} cannot stand in an equation; use a large number that is finite"))
        return self.add(Node("constant", (), (), value=float(number)))

    def apply(self, op: str, *operands: Operand, name: str = "") -> Value:
        """Apply `op`; sums with 0 and products with 1 vanish, so that passes may be careless with them."""
        values = [self._value(op, operand, operands) for operand in operands]
        if self._typed and (simpler := _simplified(op, values)) is not None:
            return simpler
        args = tuple(value.index for value in values)
        given: Shape = (name,) if name else ()
        shape = shape_of(op, [self.nodes[arg].dims for arg in args], given) if self._typed else None
        return self.add(Node(op, args, shape, name, line=self.line()))

    def label(self, value: Value, name: str) -> None:
        """Give a value its author's name; the first name stays."""
        self.labels.setdefault(value.index, name)

    def fresh_draw(self, name: str) -> str:
        """Return a name for a draw that no other draw here has."""
        taken = {node.name for node in self.nodes if node.op == "random"}
        candidates = itertools.chain([name], (f"{name}_{count}" for count in itertools.count(2)))
        return next(candidate for candidate in candidates if candidate not in taken)

    def build(self, name: str, results: Mapping[Key, Value]) -> Graph:
        """Return the graph of what `results` need; everything else is left out."""
        kept = _reachable(self.nodes, [value.index for value in results.values()])
        place = {old: new for new, old in enumerate(kept)}
        nodes = tuple(
            replace(node, args=tuple(place[arg] for arg in node.args), label=self.labels.get(old, ""))
            for old, node in ((old, self.nodes[old]) for old in kept)
        )
        return Graph(name, nodes, {key: place[value.index] for key, value in results.items()})

    def line(self) -> Line | None:
        """Return the user's current place in the source; only tracing knows it."""
        return None

    def located(self, message: str) -> str:
        """Put the place in the user's source before a message; only tracing knows it."""
        return message

    def index_of(self, operand: object) -> int | None:
        """Return the position of a value's node; None for what is no value."""
        return operand.index if isinstance(operand, Value) else None

    def _value(self, op: str, operand: object, beside: tuple[object, ...]) -> Value:
        if isinstance(operand, Namespace):
            refuse_bare(operand, *beside)
        if isinstance(operand, Value):
            if operand.builder is not self:
                raise TraceError(
                    self.located("a value of another cell's equations appears here; pass it as an argument")
                )
            return operand
        if isinstance(operand, Real) and not isinstance(operand, bool):
            return self.constant(float(operand))
        raise TraceError(
            self.located(
                f"{type(operand).__name__} cannot be an operand of {op}; "
                "use the cell's arguments, numbers and loopcell's functions"
            )
        )


def _simplified(op: str, values: list[Value]) -> Value | None:
    """Return what `op` reduces to when constants decide it: arithmetic on numbers, a sum with 0, a product with 1."""
    constants = [value.node.value if value.node.op == "constant" else None for value in values]
    if op in _ARITHMETIC and None not in constants and not (op == "div" and constants[1] == 0):
        return values[0].builder.constant(_ARITHMETIC[op](*constants))
    if op == "add" and values[1].node.op == "neg":
        return values[0] - Value(values[0].builder, values[1].node.args[0])
    neutral_left, neutral_right = _NEUTRAL.get(op, (None, None))
    if neutral_right is not None and constants[-1] == neutral_right:
        return values[0]
    if neutral_left is not None and constants[0] == neutral_left:
        return values[-1]
    return None


_ARITHMETIC: dict[str, Callable[..., float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "minimum": min,
    "maximum": max,
}
_NEUTRAL: dict[str, tuple[float | None, float | None]] = {
    "add": (0.0, 0.0),
    "sub": (None, 0.0),
    "mul": (1.0, 1.0),
    "div": (None, 1.0),
}


def _reachable(nodes: list[Node], roots: list[int]) -> list[int]:
    needed, stack = set(roots), list(roots)
    while stack:
        for arg in nodes[stack.pop()].args:
            if arg not in needed:
                needed.add(arg)
                stack.append(arg)
    return sorted(needed)
