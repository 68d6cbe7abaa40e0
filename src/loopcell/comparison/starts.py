"""Start values that the field uses where memory has to be long: each cell gets those that are meant for it."""

from __future__ import annotations

import torch

from loopcell.equations.gates import gates_of
from loopcell.equations.graph import Graph
from loopcell.layers import chrono_, orthogonal_
from loopcell.layers.stack import Stack


def begin_with_memory(net: Stack, longest: int) -> str:
    """Give a network the start values for a dependence of so many steps, in place, and return their names.

    Recurrent matrices are orthogonal (Saxe, McClelland, Ganguli, 2013); gates that keep the state have time scales up
    to `longest` steps (chrono; Tallec and Ollivier, 2018); where a unit sees only its own past, its weight is drawn
    from 0 to 1 (IndRNN; Li et al., 2018). A cell that has nothing of these begins as it does.
    """
    graph, found = net.cell.graph, []
    past = graph.dependents("state")
    if any(node.op == "matmul" and node.args[1] in past for node in graph.nodes):
        orthogonal_(net)
        found.append("orthogonal")
    if gates_of(graph).keep:
        chrono_(net, max(3, longest))
        found.append("chrono")
    if not found and (names := _factors(graph)):
        for layer, direction in net.places():
            for name in names:
                net.assign(layer, direction, name, torch.rand_like(net.weights(layer, direction)[name]))
        found.append("uniform")
    return ", ".join(found) or "as torch.nn"


def _factors(graph: Graph) -> list[str]:
    """Return the parameters that a state is multiplied with, unit by unit."""
    products = (node.args for node in graph.nodes if node.op == "mul")
    pairs = ((graph.nodes[a], graph.nodes[b]) for x, y in products for a, b in ((x, y), (y, x)))
    return list(dict.fromkeys(a.name for a, b in pairs if a.op == "parameter" and b.op == "state"))
