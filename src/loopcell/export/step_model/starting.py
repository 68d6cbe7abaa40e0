"""A stream that does not start at zeros: equations that take their first state from parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from loopcell.equations import Graph, where
from loopcell.equations.builder import Value
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key
from loopcell.equations.rewrite import copy_into
from loopcell.equations.trace import TraceBuilder
from loopcell.equations.verify import verify
from loopcell.errors import UsageError
from loopcell.export.step_model.stages import Equations, Floats

BEGUN, SPACE = "begun", "start"


def starting_at(stage: Equations, states: Mapping[str, Floats]) -> Equations:
    """Return a stage whose first step comes after some states; a new stream has zeros, as every state of a step model.

    A state more, `begun`, tells the first step from others.

    Args:
        stage: with states.
        states: by the stage's names of them, [n] each; where all are zeros the stage stays as it is.

    Raises:
        UsageError: the equations have a state or a namespace of these names already.
    """
    if not any(np.any(values) for values in states.values()):
        return stage
    graph, spaces = stage.graph, {name.partition(".")[0] for name in stage.parameters}
    if BEGUN in stage.states or SPACE in spaces:
        raise UsageError(f"the equations of {graph.name!r} have a {BEGUN!r} or {SPACE!r} of their own already")
    first = next(iter(states))
    changed = _with_starts(graph, list(states), graph.size_of(Key("state", first)))
    learned = {f"{SPACE}.{name}": np.ascontiguousarray(values, np.float32) for name, values in states.items()}
    return replace(stage, graph=changed, parameters={**stage.parameters, **learned})


def _with_starts(graph: Graph, states: list[str], size: str) -> Graph:
    builder = TraceBuilder(graph.name)
    begun = builder.leaf("state", BEGUN)

    def rewrite(_: int, node: Node, __: tuple[Value, ...]) -> Value | None:
        if node.op != "state" or node.name not in states:
            return None
        start = builder.leaf("parameter", f"{SPACE}.{node.name}")
        return where(begun > 0.0, builder.add(replace(node, shape=None)), start)

    keep = ("random", "size")
    untyped = replace(
        graph, nodes=tuple(node if node.op in keep else replace(node, shape=None) for node in graph.nodes)
    )
    values = copy_into(builder, untyped, rewrite)
    results = {key: values[index] for key, index in graph.results.items()}
    results[Key("state", BEGUN)] = begun * 0.0 + 1.0
    return verify(builder.build(graph.name, results), {**graph.declared_sizes, Key("state", BEGUN): size})
