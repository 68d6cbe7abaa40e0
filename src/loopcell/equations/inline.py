"""Inlining: one cell's equations as a part of another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key
from loopcell.equations.namespace import Namespace
from loopcell.equations.rewrite import copy_into
from loopcell.errors import TraceError


def inline(
    graph: Graph, inputs: Sequence[Value], states: Sequence[Value], namespaces: Mapping[str, Namespace]
) -> tuple[Value, ...]:
    """Write a cell's equations into the builder of its first input; return the output and the new states.

    Args:
        graph: the inner cell.
        inputs: what takes the place of its inputs, in order; a cell that reads none is given one too.
        states: what takes the place of its states, in order.
        namespaces: the outer cell's, that take the place of the inner ones of these names.

    Raises:
        TraceError: a namespace of the inner cell has no counterpart.
    """
    x = inputs[0]
    given = dict(zip(graph.states, states, strict=True))
    read = dict(zip(graph.inputs, inputs, strict=False))
    # A size of the inner cell is, in the outer one, the length of what came in.
    measured = {graph.size_of(Key("state", name)): value for name, value in given.items()}
    measured |= {"".join(node.dims): read[node.name] for _, node in graph.leaves("input")}
    measured["input"] = x
    missing = {name.partition(".")[0] for name in graph.parameters} - set(namespaces)
    if missing:
        wanted = ", ".join(f"{space}={space}" for space in sorted(missing))
        raise TraceError(x.builder.located(f"cell `{graph.name}` learns in namespaces of its own; pass {wanted}"))

    def rewrite(_index: int, node: Node, _operands: tuple[Value, ...]) -> Value | None:
        if node.op in ("input", "state"):
            return read[node.name] if node.op == "input" else given[node.name]
        if node.op == "parameter":
            return _parameter(node, namespaces)
        if node.op == "size" and node.name in measured:
            return x.builder.apply("length", measured[node.name])
        return _draw(node, x.builder, measured) if node.op == "random" else None

    outer, x.builder.borrowing = x.builder.borrowing, True
    values = copy_into(x.builder, graph, rewrite)
    results = {key: values[index] for key, index in graph.results.items()}
    for state, before in given.items():  # a new state is as long as the one that came in
        key = Key("state", state)
        results[key] = x.builder.apply("like", results[key], before)
    x.builder.borrowing = outer
    return tuple(results.values())


def _parameter(node: Node, namespaces: Mapping[str, Namespace]) -> Value:
    space, _, gate = node.name.partition(".")
    value: Value = getattr(namespaces[space], gate)
    return value.builder.add(replace(value.node, value=node.value)) if node.value else value


def _draw(node: Node, builder: Builder, measured: Mapping[str, Value]) -> Value:
    """Draw anew: a cell that stands in another one twice has two draws, each as long as what came in there."""
    size = node.dims[0]
    shape = None if size in measured else node.dims
    draw = builder.leaf("random", builder.fresh_draw(node.name), shape, random=node.random)
    return builder.apply("like", draw, measured[size]) if size in measured else draw
