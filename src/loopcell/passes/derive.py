"""Derive: reverse mode over one step, so that BPTT's inner loop is a graph like any other.

`matmul(P, v)` with cotangent d sends P^T d back along v inside the reverse loop. Its other half,
dP = sum over time and batch of d v^T, is one large product after the loop; the graph only gives d and v.
Only the states' cotangents travel from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key, cotangent_of
from loopcell.equations.ops import LEAVES, OPS
from loopcell.passes.derivatives import DERIVATIVES


@dataclass(frozen=True)
class OuterProduct:
    """The gradient of a matrix as a product after the loop: sum over time and batch of d v^T.

    Attributes:
        parameter: the matrix's name.
        cotangent: key of d among the backward graph's results.
        operand: key of v: a result of the backward graph, or a leaf of the loop such as state.h (before the step).
    """

    parameter: str
    cotangent: Key
    operand: Key


@dataclass(frozen=True)
class InputProduct:
    """A part of an input's gradient that no step waits for: P^T d, for the whole sequence at once after the loop.

    Attributes:
        parameter: the matrix's name.
        cotangent: key of d among the backward graph's results.
        operand: key of the input.
    """

    parameter: str
    cotangent: Key
    operand: Key


@dataclass(frozen=True)
class Backward:
    """One step of the reverse loop.

    Attributes:
        graph: leaves: cotangent.output and cotangent.state.NAME, saved.NAME, and the loop's own leaves. Results:
            state.NAME (to the step before), hoisted.NAME, parameter.NAME for vectors (to be summed over time and
            batch), input.NAME for what reaches the input other than through a product, and product.K,
            operand.K for the outer products.
        outer: the products after the loop.
        saved: what the forward loop saves for it: the loop's node, by the name under which it is saved.
        into_input: the products after the loop that give the rest of the input's gradient.
    """

    graph: Graph
    outer: tuple[OuterProduct, ...]
    saved: dict[str, int]
    into_input: tuple[InputProduct, ...] = ()


def derive(loop: Graph) -> Backward:
    """Return the reverse step of a loop's graph."""
    return _Derivation(loop).run()


class _Derivation:
    def __init__(self, loop: Graph) -> None:
        self.loop = loop
        self.deep = loop.deep_values()
        self.builder = Builder()
        self.forward: dict[int, Value] = {}
        self.saved: dict[str, int] = {}
        self.cotangents: dict[int, Value] = {}
        self.transposed: dict[int, list[Value]] = {}
        self.results: dict[Key, Value] = {}
        self.outer: list[OuterProduct] = []
        self.into_input: list[InputProduct] = []

    def run(self) -> Backward:
        for key, index in self.loop.results.items():
            if key.kind == "record":
                continue  # what is only recorded has no say in the gradient
            arriving = cotangent_of(key)
            self._give(index, self.builder.leaf(arriving.kind, arriving.name, self.loop.nodes[index].dims))
        # A node stands before all that read it, so against that order every cotangent is complete when it is passed on.
        for index in reversed(range(len(self.loop.nodes))):
            self._visit(index, self.loop.nodes[index])
        self._zero_missing_states()
        graph = self.builder.build(f"d {self.loop.name}", self.results)
        # Some values were asked for by rules whose result nobody needs, and are gone from the graph.
        used = {node.name for _, node in graph.leaves("saved")}
        saved = {name: index for name, index in self.saved.items() if name in used}
        return Backward(graph, tuple(self.outer), saved, tuple(self.into_input))

    def _visit(self, index: int, node: Node) -> None:
        self._give_products(index)
        cotangent = self.cotangents.get(index)
        if cotangent is None:
            return
        if node.op in LEAVES:
            if node.op in ("state", "hoisted", "parameter", "input"):
                self.results[node.key] = cotangent
        elif node.op == "matmul":
            self._product(node, cotangent)
        else:
            operands = [self._value(arg) for arg in node.args]
            parts = DERIVATIVES[node.op](cotangent, self._value(index), *operands)
            for arg, part in zip(node.args, parts, strict=True):
                if part is not None:
                    self._give(arg, part)

    def _product(self, node: Node, cotangent: Value) -> None:
        matrix, vector = node.args
        # Numbered, since two products may have one cotangent or one operand, and each needs a key of its own.
        number = str(len(self.outer))
        product = Key("product", number)
        self.results[product] = cotangent
        operand, name = self.loop.nodes[vector], self.loop.nodes[matrix].name
        # What goes back into the input does not travel from step to step: it can wait until the loop is done.
        if operand.op == "input":
            self.into_input.append(InputProduct(name, product, operand.key))
        else:
            self.transposed.setdefault(vector, []).extend((self._value(matrix), cotangent))
        at_hand = operand.op in ("state", "hoisted", "input")
        key = operand.key if at_hand else Key("operand", number)
        if not at_hand:
            self.results[key] = self._value(vector)
        self.outer.append(OuterProduct(name, product, key))

    def _give_products(self, index: int) -> None:
        """Add P^T d + Q^T e + ... of every product that read this value, as one packed product."""
        pairs = self.transposed.pop(index, None)
        if pairs:
            self._give(index, self.builder.apply("matmul_t", *pairs))

    def _give(self, index: int, part: Value) -> None:
        # A scalar that met a vector was broadcast over it: its gradient is the sum of the vector's, and the other way
        # round a vector's is the scalar's at every entry.
        if part.node.dims and not self.loop.nodes[index].dims:
            part = self.builder.apply("sum", part)
        if not part.node.dims and self.loop.nodes[index].dims:
            part = self.builder.apply("expand", part, name=self.loop.nodes[index].dims[0])
        before = self.cotangents.get(index)
        self.cotangents[index] = part if before is None else before + part

    def _value(self, index: int) -> Value:
        """Return a forward value inside the reverse step: read again, computed again if that is cheap, or saved."""
        if index not in self.forward:
            self.forward[index] = self._lift(index, self.loop.nodes[index])
        return self.forward[index]

    def _lift(self, index: int, node: Node) -> Value:
        if node.op in LEAVES:
            return self.builder.add(node)
        if self._is_cheap(node) and index not in self.deep:  # a long chain of cheap ones is not cheap
            value = self.builder.apply(node.op, *(self._value(arg) for arg in node.args), name=node.name)
            if node.label:
                self.builder.label(value, node.label)
            return value
        name = self.loop.name_of(index)
        if name in self.saved:  # two products U.r @ h and U.r @ m with vectors that have no name
            name = f"{name}_{index}"
        self.saved[name] = index
        return self.builder.leaf("saved", name, node.dims)

    def _is_cheap(self, node: Node) -> bool:
        """Say whether to compute a value again; a vector over a scalar (a normalisation) costs less than keeping it."""
        by_scalar = node.op == "div" and bool(node.dims) and not self.loop.nodes[node.args[1]].dims
        return OPS[node.op].cheap or by_scalar

    def _zero_missing_states(self) -> None:
        """Give a state that nothing reads the cotangent 0, so that every state has one."""
        for state in self.loop.states:
            key = Key("state", state)
            if key not in self.results:
                self.results[key] = self.builder.apply("expand", 0.0, name=self.loop.size_of(key))
