"""Sweeps: a graph as loops over units, for a back end that writes loops.

A sweep runs once over the units of one size, for every row, a vector register at a time; the positions of a register
are its lanes. Within a sweep every pointwise value stays in registers. A new one starts where a value must be complete
before anyone may go on: a product reads its whole operand, and a sum its whole vector.
"""

from __future__ import annotations

from dataclasses import dataclass

from loopcell.equations.graph import Graph
from loopcell.equations.ops import LEAVES


@dataclass(frozen=True)
class Contraction:
    """Products that accumulate side by side: G results of one length, each a sum over segments.

    Attributes:
        results: the nodes, one per gate.
        segments: (operand's node, parameters): for `matmul` one segment with one parameter per result, for `matmul_t`
            one segment an operand, with one parameter each.
        transposed: the parameters are read by columns.
    """

    results: tuple[int, ...]
    segments: tuple[tuple[int, tuple[str, ...]], ...]
    transposed: bool


@dataclass(frozen=True)
class Sweep:
    """One loop over the units of a size.

    Attributes:
        size: the name of the size; "" where there are only scalars.
        scalars: nodes that are one number per row, computed before the loop.
        contractions: products at the loop's head.
        pointwise: nodes computed unit by unit, in order.
        sums: nodes that add up over the loop.
    """

    size: str
    scalars: tuple[int, ...]
    contractions: tuple[Contraction, ...]
    pointwise: tuple[int, ...]
    sums: tuple[int, ...]


def sweeps(graph: Graph) -> tuple[Sweep, ...]:
    """Return the sweeps that compute a graph, in order."""
    names = same_sizes(graph)
    levels = _levels(graph)
    found: list[Sweep] = []
    for level in range(max(levels, default=0) + 1):
        here = [i for i, node in enumerate(graph.nodes) if levels[i] == level and node.op not in LEAVES]
        sizes = dict.fromkeys(names.get(size, size) for size in (_loop_size(graph, i) for i in here))
        scalars = tuple(i for i in here if not graph.nodes[i].dims and graph.nodes[i].op != "sum")
        for size in sorted(sizes, key=bool):
            mine = [i for i in here if names.get(_loop_size(graph, i), _loop_size(graph, i)) == size]
            found.append(_sweep(graph, size, mine, scalars if not size else ()))
    return tuple(found)


def same_sizes(graph: Graph) -> dict[str, str]:
    """Return sizes that `sized` demands to be equal to another: {name: the other's name}."""
    names: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "sized":
            inner = graph.nodes[node.args[0]].dims[0]
            left, right = names.get(inner, inner), names.get(node.name, node.name)
            if left != right:
                # What was another name for the left one is from now on a name for the right one.
                names = {name: right if other == left else other for name, other in names.items()} | {left: right}
    return names


def _loop_size(graph: Graph, index: int) -> str:
    node = graph.nodes[index]
    shape = graph.nodes[node.args[0]].dims if node.op == "sum" else node.dims
    return shape[0] if shape else ""


def _levels(graph: Graph) -> list[int]:
    """Return the sweep in which each node can be computed at the earliest."""
    levels: list[int] = []
    for node in graph.nodes:
        level = 0
        for place, arg in enumerate(node.args):
            other = graph.nodes[arg]
            # Everything else is read unit by unit, in the sweep that computes it.
            waits = other.op == "sum" or _is_operand(node.op, place)
            level = max(level, levels[arg] + (waits and other.op not in LEAVES))
        levels.append(level)
    return levels


def _is_operand(op: str, place: int) -> bool:
    """Say whether a product reads the whole of its operand at this place; the others are its parameters."""
    return op in ("matmul", "matmul_t") and place % 2 == 1


def _sweep(graph: Graph, size: str, here: list[int], scalars: tuple[int, ...]) -> Sweep:
    products = [i for i in here if graph.nodes[i].op in ("matmul", "matmul_t")]
    sums = tuple(i for i in here if graph.nodes[i].op == "sum")
    pointwise = tuple(i for i in here if i not in products and i not in sums and graph.nodes[i].dims)
    return Sweep(size, scalars, tuple(_contractions(graph, products)), pointwise, sums)


def _contractions(graph: Graph, products: list[int]) -> list[Contraction]:
    groups: dict[int, list[int]] = {}
    found: list[Contraction] = []
    for index in products:
        node = graph.nodes[index]
        if node.op == "matmul":
            groups.setdefault(node.args[1], []).append(index)
        else:
            pairs = zip(node.args[0::2], node.args[1::2], strict=True)
            segments = tuple((vector, (graph.nodes[matrix].name,)) for matrix, vector in pairs)
            found.append(Contraction((index,), segments, transposed=True))
    for operand, results in groups.items():
        names = tuple(graph.nodes[graph.nodes[index].args[0]].name for index in results)
        for start in range(0, len(results), MOST_GATES):
            part = slice(start, start + MOST_GATES)
            found.append(Contraction(tuple(results[part]), ((operand, names[part]),), transposed=False))
    return found


MOST_GATES = 8
"""Results that accumulate side by side: with three rows they fill the 24 registers there are for it."""
