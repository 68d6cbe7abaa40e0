"""Evaluation's equations: every random leaf becomes its mean."""

from __future__ import annotations

from loopcell.equations.builder import Builder, Value, copy_into
from loopcell.equations.graph import Graph, Node


def expect(graph: Graph) -> Graph:
    """Return the graph that evaluation runs: draws replaced by their means, no weights dropped."""
    builder = Builder()

    def rewrite(_: int, node: Node, __: tuple[Value, ...]) -> Value | None:
        if node.random is not None:
            return builder.constant(node.random.mean)
        if node.op == "parameter" and node.value:
            return builder.leaf("parameter", node.name, node.shape)
        return None

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})
