"""Evaluation's equations: every random leaf becomes its mean."""

from __future__ import annotations

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import OPS
from loopcell.equations.rewrite import copy_into


def expect(graph: Graph) -> Graph:
    """Return the graph that evaluation runs: draws replaced by their means, no weights dropped."""
    builder = Builder()

    def rewrite(_: int, node: Node, operands: tuple[Value, ...]) -> Value | None:
        if node.random is not None:
            return builder.apply("expand", builder.constant(node.random.mean), name=node.dims[0])
        if node.op == "parameter" and node.value:
            return builder.leaf("parameter", node.name, node.shape)
        if node.args and OPS[node.op].rule == "elementwise":
            return _with_numbers(builder, node, operands)
        return None

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})


def _with_numbers(builder: Builder, node: Node, operands: tuple[Value, ...]) -> Value | None:
    """Let means stand as plain numbers; where there is nothing else, the result is one number for every unit."""
    numbers = [Value(builder, operand.node.args[0]) if _is_mean(operand) else operand for operand in operands]
    if any(operand.node.dims for operand in numbers):
        return builder.apply(node.op, *numbers)
    if any(operand.node.dims for operand in operands):
        return builder.apply("expand", builder.apply(node.op, *numbers), name=node.dims[0])
    return None


def _is_mean(value: Value) -> bool:
    return value.node.op == "expand" and value.builder.nodes[value.node.args[0]].op == "constant"
