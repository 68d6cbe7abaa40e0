"""Variants of a cell that run on its own weights: one equation changed, the parameters kept.

For any cell: each of its gates held at a number. f = 1 is the LSTM of 1997 (Hochreiter, Schmidhuber), without a forget
gate. For cells of the library also an equation in another form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from loopcell import cells
from loopcell.cells.other_forms import gru_reset_before, rnn_linear
from loopcell.equations import Cell
from loopcell.equations.builder import Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.rewrite import copy_into
from loopcell.equations.serialise import fingerprint
from loopcell.equations.trace import TraceBuilder, demand_read
from loopcell.equations.verify import verify
from loopcell.errors import EquationError

OTHER_FORMS: Mapping[str, Mapping[str, Cell]] = {
    "lstm": {"i = 1 − f": cells.get("lstm_coupled")},
    "gru": {"U (r ⊙ h)": gru_reset_before},
    "rnn": {"relu": cells.get("rnn_relu"), "linear": rnn_linear},
}
"""Other forms of cells of the library, by the cell's name: what is other, and the cell."""

HELD_AT = (1.0, 0.0)


def variants(of: Cell) -> dict[str, Graph]:
    """Return the graphs of a cell's variants, by what is other in them, such as "f = 1"."""
    found = {f"{gate} = {value:g}": graph for gate, value, graph in _held(of.graph)}
    for name, others in OTHER_FORMS.items():
        if fingerprint(cells.get(name).graph) == fingerprint(of.graph):
            found |= {what: other.graph for what, other in others.items()}
    return found


def _held(graph: Graph) -> Iterator[tuple[str, float, Graph]]:
    gates = dict.fromkeys(node.label for node in graph.nodes if node.op == "sigmoid" and node.label)
    for gate in gates:
        for value in HELD_AT:
            try:
                yield gate, value, held(graph, gate, value)
            except EquationError:
                continue  # nothing of the cell would be left, as where the gate is its state


def held(graph: Graph, gate: str, value: float) -> Graph:
    """Return a graph in which a named value is a number.

    Raises:
        EquationError: a result would be a number, and no vector; or one of several inputs would have no use.
    """
    builder = TraceBuilder(graph.name)
    places = {index for index, node in enumerate(graph.nodes) if node.label == gate}
    nodes = (_untyped(node) if at not in places else replace(node, label="") for at, node in enumerate(graph.nodes))

    def rewrite(index: int, _: Node, __: tuple[Value, ...]) -> Value | None:
        return builder.constant(value) if index in places else None

    values = copy_into(builder, replace(graph, nodes=tuple(nodes)), rewrite)
    found = builder.build(graph.name, {key: values[at] for key, at in graph.results.items()})
    demand_read(found, graph.inputs)
    return verify(found, graph.declared_sizes)


def _untyped(node: Node) -> Node:
    return node if node.op in ("random", "size") else replace(node, shape=None)
