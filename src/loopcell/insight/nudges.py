"""Nudges: inputs of zero that are added to named values, so that the gradient of a nudge is the gradient of the value.

Backpropagation gives gradients of what enters a call: the input, the parameters, the states at rest. The gradient of
what lies inside, of a cell state at step 17, is the gradient of a zero that is added to it there. The nudge stands in
the cell's equations, so the compiled kernels have it like any other input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import LEAVES
from loopcell.equations.rewrite import copy_into
from loopcell.errors import InputError
from loopcell.layers.layer_by_layer import run_layers
from loopcell.layers.stack import Stack
from loopcell.passes.pipeline import ByIdentity
from loopcell.runtime.execute import Executable
from loopcell.runtime.programs import known_names, named_values

_PREFIX = "nudge_"
_NONE: Mapping[str, Tensor] = MappingProxyType({})


class NudgedExecutable(Executable):
    """An executable of a layer with a nudge for each of some named values; it keeps what each call was given.

    Args:
        own: what runs the layer without nudges.
        names: of values of the cell; a state's name is the state after the step.

    Attributes:
        inputs: what each call read, [T, B, I], without gradients; the cell's own further inputs behind it.
        nudges: the nudges of each call, zeros [T, B, n] that require a gradient, by name.

    Raises:
        InputError: there is no value of a name.
    """

    def __init__(self, own: Executable, names: Sequence[str]) -> None:
        self._nudged = nudged(own.cell.graph, tuple(names))
        super().__init__(
            replace(own.cell, graph=self._nudged),
            own.sizes,
            further=(*own.further, *(_PREFIX + name for name in names)),
        )
        known = known_names(self._nudged)
        dims = {name: self._nudged.nodes[known[name]].dims for name in names}
        self._widths = {name: own.sizes[found[0]] if found else 1 for name, found in dims.items()}
        self.inputs: list[Tensor] = []
        self.nudges: list[dict[str, Tensor]] = []

    def __call__(self, x: Tensor, *given: Any, further: Mapping[str, Tensor] = _NONE, **options: Any) -> Any:
        """Run the cell over a sequence with nudges of its own; arguments and results as of `Executable`."""
        rows = x.shape[:2]
        nudges = {name: x.new_zeros((*rows, width)).requires_grad_() for name, width in self._widths.items()}
        self.inputs.append(torch.cat([x, *further.values()], -1).detach())
        self.nudges.append(nudges)
        further = {**further, **{_PREFIX + name: tensor for name, tensor in nudges.items()}}
        return super().__call__(x, *given, further=further, **options)


class NudgedRun:
    """A run of a network in which some named values of every layer have nudges; gradients are enabled within it.

    Args:
        net: the network, run in its mode, without dropout between layers.
        names: of values of the cell.
        x: the input [T, B, I].
        rows: where rows end and start afresh.
        initial: the states before the first step, [L * D, B, n], by name; zeros for those that are not there.
        further: the cell's further inputs [T, B, n], by name.

    Attributes:
        output: [T, B, D * O].
        states: after each row's last step, [L * D, B, n], by name.
        inputs: what each layer and direction read, [T, B, I], in its own order.
        nudges: of each layer and direction, [T, B, n] in its own order, by name.
    """

    def __init__(
        self,
        net: Stack,
        names: Sequence[str],
        x: Tensor,
        rows: Lengths,
        initial: Mapping[str, Tensor] = _NONE,
        further: Mapping[str, Tensor] = _NONE,
    ) -> None:
        layers = tuple(NudgedExecutable(executable, names) for executable in net.spec.executables)
        spec = replace(net.spec, executables=layers, dropout=0.0, checkpoint_steps=None)
        states = {**net.initial_state(x.shape[1], device=x.device, dtype=x.dtype), **initial}
        with torch.enable_grad():
            results = run_layers(net, spec, x, states, rows, further=further)
        self.output, self.states = results.output, results.states
        self.inputs = [given for layer in layers for given in layer.inputs]
        self.nudges = [nudges for layer in layers for nudges in layer.nudges]


def changing_states(graph: Graph) -> list[str]:
    """Return the states that a cell computes, and does not hand on as they were."""
    known = known_names(graph)
    return [state for state in graph.states if graph.nodes[known[state]].op not in LEAVES]


@lru_cache(maxsize=64)
def _nudged(key: ByIdentity, names: tuple[str, ...]) -> Graph:
    graph = key.graph
    places = {index: name for name, index in named_values(graph, names).items()}
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
