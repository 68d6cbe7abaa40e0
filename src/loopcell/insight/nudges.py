"""Nudges: inputs of zero that are added to named values, so that the gradient of a nudge is the gradient of the value.

Backpropagation gives gradients of what enters a call: the input, the parameters, the states at rest. The gradient of
what lies inside, of a cell state at step 17, is the gradient of a zero that is added to it there. The nudge stands in
the cell's equations, so the compiled kernels have it like any other input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import LEAVES
from loopcell.equations.rewrite import copy_into
from loopcell.errors import InputError
from loopcell.layers.stack import Stack
from loopcell.passes.pipeline import ByIdentity
from loopcell.runtime.execute import Executable
from loopcell.runtime.programs import known_names

_PREFIX = "nudge_"


class NudgedLayer:
    """One layer of a network, with a nudge for each of some named values.

    Args:
        net: the network.
        layer: its number.
        names: of values of the cell; a state's name is the state after the step.

    Raises:
        InputError: there is no value of a name.
    """

    def __init__(self, net: Stack, layer: int, names: Sequence[str]) -> None:
        own = net.executable(layer)
        self.names = tuple(names)
        self._sizes = own.sizes
        self._graph = nudged(net.cell.graph, self.names)
        beside = tuple(_PREFIX + name for name in names)
        self.executable = Executable(replace(net.cell, graph=self._graph), own.sizes, beside=beside)

    def nudges(self, steps: int, batch: int, like: Tensor) -> dict[str, Tensor]:
        """Return zeros [T, B, n] that require a gradient, by name."""
        known = known_names(self._graph)
        widths = {name: self._graph.nodes[known[name]].dims for name in self.names}
        return {
            name: torch.zeros(
                (steps, batch, self._sizes[dims[0]] if dims else 1), dtype=like.dtype, device=like.device
            ).requires_grad_()
            for name, dims in widths.items()
        }

    @staticmethod
    def beside(nudges: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return nudges by the names that the executable knows them by."""
        return {_PREFIX + name: tensor for name, tensor in nudges.items()}


@lru_cache(maxsize=64)
def _nudged(key: ByIdentity, names: tuple[str, ...]) -> Graph:
    graph = key.graph
    known = known_names(graph)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"cell `{graph.name}` has no value named {unknown[0]!r}; it has {', '.join(known)}")
    places = {known[name]: name for name in names}
    unchanged = [name for index, name in places.items() if graph.nodes[index].op in LEAVES]
    if unchanged:
        raise InputError(f"cell `{graph.name}` does not change its state {unchanged[0]!r}")
    builder = Builder()

    def rewrite(index: int, node: Node, operands: tuple[Value, ...]) -> Value | None:
        if index not in places:
            return None
        value = builder.apply(node.op, *operands, name=node.name)
        return value + builder.leaf("input", _PREFIX + places[index], node.dims)

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})


def nudged(graph: Graph, names: tuple[str, ...]) -> Graph:
    """Return a cell's graph with an input `nudge_NAME` added to each named value; the same one every time.

    Raises:
        InputError: there is no value of a name, or it is a state that the cell hands on as it was.
    """
    return _nudged(ByIdentity(graph), names)
