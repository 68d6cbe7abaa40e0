"""The dependence of each value: on nothing that changes, on the sequence, or on the past."""

from __future__ import annotations

from loopcell.equations.graph import Graph

STATIC, SEQUENCE, STEP = 0, 1, 2
"""Constant over time; known for every step before the loop starts; known only once the previous step is done."""


def dependence(graph: Graph) -> list[int]:
    """Return for every node STATIC, SEQUENCE or STEP."""
    kinds: list[int] = []
    for node in graph.nodes:
        if node.op == "state":
            kind = STEP
        elif node.op == "input" or (node.random is not None and node.random.each == "step"):
            kind = SEQUENCE
        else:
            kind = max((kinds[arg] for arg in node.args), default=STATIC)
        kinds.append(kind)
    return kinds
