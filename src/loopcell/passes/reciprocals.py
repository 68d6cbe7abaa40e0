"""Reciprocals: a vector over a square root becomes a product with one number.

A normalisation divides a vector by the root of its variance, and the reverse step divides twice for each such division.
A CPU divides a vector in the time of a dozen products; one number a row is divided in no time that shows. Only for
roots: they lie between 2^-75 and 2^64 in float32 (and as far from the edges in float64) unless they are 0, infinite or
NaN, so their reciprocals neither overflow nor lose digits as subnormal numbers, and what is not finite stays what it
was. The quotient of any other number could become NaN where it was 0.
"""

from __future__ import annotations

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.rewrite import copy_into


def by_reciprocals(graph: Graph) -> Graph:
    """Return the graph with vectors multiplied by 1 / sqrt(...) where they are divided by it."""
    if not any(_divides(graph, node) for node in graph.nodes):
        return graph
    builder = Builder()

    def rewrite(_: int, node: Node, operands: tuple[Value, ...]) -> Value | None:
        return operands[0] * (1.0 / operands[1]) if _divides(graph, node) else None

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})


def _divides(graph: Graph, node: Node) -> bool:
    """Say whether a node divides a vector by a root that is one number for all of it."""
    if node.op != "div" or not graph.nodes[node.args[0]].dims:
        return False
    root = graph.nodes[node.args[1]]
    return root.op == "sqrt" and not root.dims
