"""Bounds of values that hold for any data, from what functions can give: 1 - sigmoid(x) is between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from loopcell.equations import Graph
from loopcell.equations.graph import Node

Bounds: TypeAlias = tuple[float, float]
ANY: Bounds = (-math.inf, math.inf)


def _products(a: Bounds, b: Bounds) -> Bounds:
    found = [0.0 if not (x and y) else x * y for x in a for y in b]
    return min(found), max(found)


def _power(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


RULES: dict[str, Callable[..., Bounds]] = {
    "sigmoid": lambda _: (0.0, 1.0),
    "tanh": lambda _: (-1.0, 1.0),
    "exp": lambda a: (_power(a[0]), _power(a[1])),
    "softplus": lambda _: (0.0, math.inf),
    "sqrt": lambda _: (0.0, math.inf),
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": _products,
    "neg": lambda a: (-a[1], -a[0]),
    "abs": lambda a: (0.0, max(abs(a[0]), abs(a[1]))),
    "relu": lambda a: (max(a[0], 0.0), max(a[1], 0.0)),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "where": lambda _, a, b: (min(a[0], b[0]), max(a[1], b[1])),
    "expand": lambda a: a,
    "sized": lambda a: a,
}
"""The bounds of an operation from those of its operands; other operations have none."""


def bounds_of(graph: Graph, constant: Callable[[Node], float]) -> list[Bounds]:
    """Return the bounds of every value of a graph, infinite where nothing is known."""
    found: list[Bounds] = []
    for node in graph.nodes:
        if node.op in ("constant", "size"):
            found.append((constant(node), constant(node)))
        else:
            rule = RULES.get(node.op) if node.args else None
            found.append(ANY if rule is None else rule(*(found[arg] for arg in node.args)))
    return found
