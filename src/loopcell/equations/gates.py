"""The gates of a cell that keep its state or let something new in, read off the equations."""

from __future__ import annotations

from typing import NamedTuple

from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key


class Gate(NamedTuple):
    """A factor between 0 and 1 that a bias moves: sigmoid(.. + bias), or 1 - sigmoid(.. + bias).

    Attributes:
        bias: the bias' name, such as "b.f".
        sign: 1 where a larger bias makes the factor larger, -1 where it makes it smaller.
    """

    bias: str
    sign: int


class Gates(NamedTuple):
    """The gates of a cell whose states are sums such as f * c + i * g.

    Attributes:
        keep: those that the state before is multiplied with.
        enter: those that something new is multiplied with, unless the same bias moves a gate that keeps.
    """

    keep: tuple[Gate, ...]
    enter: tuple[Gate, ...]


def gates_of(graph: Graph) -> Gates:
    """Find the gates in the equations of a cell; the names that the author gave them do not count."""
    keep: dict[str, Gate] = {}
    enter: dict[str, Gate] = {}
    for state in graph.states:
        after = graph.result("state", state)
        terms = [_operands(graph, "mul", term) for term in _operands(graph, "add", after)]
        kept = [any(graph.nodes[factor].key == Key("state", state) for factor in factors) for factors in terms]
        if not any(kept):
            continue  # such as the h of an LSTM, which is made anew at each step
        for factors, keeps in zip(terms, kept, strict=True):
            gates = (_gate(graph, factor) for factor in factors)
            (keep if keeps else enter).update({gate.bias: gate for gate in gates if gate is not None})
    return Gates(tuple(keep.values()), tuple(gate for bias, gate in enter.items() if bias not in keep))


def _operands(graph: Graph, op: str, index: int) -> tuple[int, ...]:
    """Return the terms of a sum, or the factors of a product, each once: as a tree a graph may be of any length."""
    found: dict[int, None] = {}  # a set that keeps the order
    seen: set[int] = set()
    stack = [index]
    while stack:
        here = stack.pop()
        if here in seen:
            continue
        seen.add(here)
        if graph.nodes[here].op == op:
            stack += reversed(graph.nodes[here].args)
        else:
            found[here] = None
    return tuple(found)


def _gate(graph: Graph, index: int) -> Gate | None:
    node, sign = graph.nodes[index], 1
    if node.op == "sub" and (graph.nodes[node.args[0]].op, graph.nodes[node.args[0]].value) == ("constant", 1.0):
        node, sign = graph.nodes[node.args[1]], -1
    if node.op != "sigmoid":
        return None
    biases = [graph.nodes[term] for term in _operands(graph, "add", node.args[0])]
    return next((Gate(one.name, sign) for one in biases if one.op == "parameter"), None)
