"""Schedule: products that share an operand become one packed product; the rest stands between them, in phases.

A product whose operand is computed in the step (`U.n @ (r * h)`) starts a phase of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcell.equations.graph import Graph
from loopcell.equations.ops import LEAVES


@dataclass(frozen=True)
class Product:
    """Products of one operand with several parameters, to be done as one.

    Attributes:
        operand: the vector's node; -1 for transposed products, which have an operand a parameter.
        results: the nodes, one per parameter.
        parameters: names of the parameters, stacked by rows in this order.
    """

    operand: int
    results: tuple[int, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Phase:
    """Products first, then what can be computed once they are there, in order."""

    products: tuple[Product, ...]
    pointwise: tuple[int, ...]


def schedule(graph: Graph) -> tuple[Phase, ...]:
    """Return the phases in which a graph is computed."""
    levels = _levels(graph)
    phases = (_phase(graph, levels, level) for level in range(max(levels, default=0) + 1))
    return tuple(phase for phase in phases if phase.products or phase.pointwise)


def _levels(graph: Graph) -> list[int]:
    """Return how many products stand before each node on its longest way, itself included."""
    levels: list[int] = []
    for node in graph.nodes:
        before = max((levels[arg] for arg in node.args), default=0)
        levels.append(before + (node.op in ("matmul", "matmul_t")))
    return levels


def _phase(graph: Graph, levels: list[int], level: int) -> Phase:
    here = [index for index, node in enumerate(graph.nodes) if levels[index] == level and node.op not in LEAVES]
    groups: dict[tuple[object, ...], list[int]] = {}
    for index in here:
        node = graph.nodes[index]
        if node.op == "matmul":
            groups.setdefault((node.args[1], node.shape), []).append(index)
        elif node.op == "matmul_t":
            groups[(index,)] = [index]
    products = tuple(_product(graph, results) for results in groups.values())
    pointwise = tuple(index for index in here if graph.nodes[index].op not in ("matmul", "matmul_t"))
    return Phase(products, pointwise)


def _product(graph: Graph, results: list[int]) -> Product:
    first = graph.nodes[results[0]]
    if first.op == "matmul_t":
        return Product(-1, (results[0],), tuple(graph.nodes[arg].name for arg in first.args[0::2]))
    parameters = tuple(graph.nodes[graph.nodes[index].args[0]].name for index in results)
    return Product(first.args[1], tuple(results), parameters)
