"""Rewriting a graph: copied node by node, with something else in the place of some."""

from __future__ import annotations

from collections.abc import Callable

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import LEAVES

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
