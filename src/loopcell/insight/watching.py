"""The health of recurrent layers on a batch: saturated gates, dead units, and the gradient by steps back.

Karpathy, Johnson, Fei-Fei: Visualizing and Understanding Recurrent Networks, 2015 (arXiv 1506.02078) counts saturated
gates so; a gate is what an equation makes by a sigmoid, or a candidate that it makes by tanh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loopcell.backends.lengths import Lengths
from loopcell.equations.graph import Graph
from loopcell.insight.capture import LayersCall, calls_of
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.flow_of_layer import FlowOfLayer, Numbers, least_norm, norms_by_steps_back
from loopcell.insight.last_outputs import last_outputs
from loopcell.insight.nudges import NudgedRun, changing_states
from loopcell.layers import State
from loopcell.layers.stack import Stack
from loopcell.runtime.programs import known_names

LOW, HIGH = 0.05, 0.95
"""A sigmoid gate is saturated below and above; a candidate of tanh where its absolute value is above `HIGH`."""
DEAD = 1e-6
"""A unit is dead where its output has no wider range than this over all steps of all rows."""
MOST_ROWS = 16
"""Rows of a batch that are looked at: what is measured is a mean, and a look should cost no more than an update."""
BOUNDED = ("sigmoid", "tanh")


@dataclass(frozen=True, eq=False)
class LayerHealth:
    """One layer and direction, on one batch.

    Attributes:
        name: what the model calls it, such as "reader.recurrent, layer 0".
        saturated: by gate, the share of its values, over steps, rows and units, at an end of its range; NaN where
            one is no number.
        output: what the cell's output is called.
        dead: the share of units whose output is the same number at all steps of all rows; NaN where one has
            no number.
        gradient: by state, ||dy/ds|| for the last output y along a fixed random direction of length 1: at the step that
            is read last, one step back, two steps back, ... [T]; the root mean square over the rows that are so long.
        slope: by state, the growth of the log of that for one step back; NaN where no gradient arrives.
    """

    name: str
    saturated: Mapping[str, float]
    output: str
    dead: float
    gradient: Mapping[str, Numbers]
    slope: Mapping[str, float]


def layer_health(model: nn.Module, read: Callable[[], object]) -> tuple[LayerHealth, ...]:
    """Return the health of every recurrent layer of a model on a batch.

    Args:
        model: any module; it reads in evaluation, and is left as it was, without gradients.
        read: makes the model read the batch.

    Returns:
        One entry for each layer and direction of each `loopcell.Recurrent`, `LSTM`, `GRU` or `RNN` that was called. Of
        several calls the longest counts; one with a PackedSequence, without an axis of rows or without a step does not.
    """
    names = {module: name for name, module in model.named_modules() if isinstance(module, Stack)}
    with in_evaluation(model):
        with torch.no_grad(), calls_of(names) as calls:
            read()
        return tuple(health for layers, name in names.items() for health in _healths(layers, name, calls))


def _healths(layers: Stack, name: str, calls: list[LayersCall]) -> Iterator[LayerHealth]:
    own = [call for call in calls if call.layers is layers and call.has_steps(MOST_ROWS)]
    if not own:
        return
    longest = max(own, key=lambda one: int(one.x.shape[int(layers.batch_first)]))
    call = _Batch(layers, *longest.time_first(MOST_ROWS))
    recorded, gradients, known = call.recorded(), call.gradients(), known_names(layers.cell.graph)
    output = _output_name(layers.cell.graph)
    for place, (layer, direction) in enumerate(layers.places()):
        way = (", forward", ", backward")[direction] if layers.bidirectional else ""
        gates = {gate: (values[place], layers.cell.graph.nodes[known[gate]].op) for gate, values in recorded.items()}
        norms = {state: norms_by_steps_back(one, call.rows) for state, one in gradients[place].items()}
        # Direction 1, since the norms are in the order of steps back already.
        flow = FlowOfLayer(layer, 1, norms, None, least_norm(gradients[place].values()))
        yield LayerHealth(
            name=f"{name or type(layers).__name__}, layer {layer}{way}",
            saturated={gate: _saturated(call.valid(value), op) for gate, (value, op) in gates.items() if op in BOUNDED},
            output=output,
            dead=_dead(call.valid(recorded[output][place])),
            gradient=norms,
            slope={state: flow.slope(state) for state in norms},
        )


@dataclass(frozen=True, eq=False)
class _Batch:
    """Some rows of a call, time first."""

    layers: Stack
    x: Tensor
    rows: Lengths
    initial: dict[str, Tensor]
    further: dict[str, Tensor]

    def recorded(self) -> dict[str, list[Tensor]]:
        """Return the gates and the output, [T, B, n] of each layer and direction, at the steps of the input."""
        graph = self.layers.cell.graph
        known = known_names(graph)
        wanted = [name for name, index in known.items() if graph.nodes[index].op in BOUNDED]
        names = list(dict.fromkeys([*wanted, _output_name(graph)]))
        state = State(**self.initial) if self.initial else None
        reset = None if self.rows.reset is None else self._turned(self.rows.reset)
        with torch.no_grad():
            given, lengths = self._turned(self.x), self.rows.lengths
            further = {name: self._turned(value) for name, value in self.further.items()}
            found = self.layers.record(given, *names, state=state, lengths=lengths, reset=reset, **further)
        return {name: [self._turned(value) for value in values] for name, values in found.items()}

    def _turned(self, value: Tensor) -> Tensor:
        """Turn time first into the form of the layers; its own inverse."""
        return value.transpose(0, 1) if self.layers.batch_first else value

    def valid(self, value: Tensor) -> Tensor:
        """Return the rows of the steps that are no padding, [N, n] of [T, B, n]."""
        mask = self.rows.mask
        return value.flatten(0, 1) if mask is None else value[mask]

    def gradients(self) -> list[dict[str, Tensor]]:
        """Return of each layer and direction the gradients [T, B, n] by state, in the order in which it reads."""
        states = changing_states(self.layers.cell.graph)
        if not states:
            return [{} for _ in self.layers.places()]
        run = NudgedRun(self.layers, states, self.x, self.rows, self.initial, self.further)
        every = [nudge for nudges in run.nudges for nudge in nudges.values()]
        with torch.enable_grad():
            value = last_outputs(run.output, self.rows, self.layers.num_directions)
            found = iter(torch.autograd.grad(value, every, allow_unused=True, materialize_grads=True))
        return [{name: next(found) for name in nudges} for nudges in run.nudges]


def _saturated(values: Tensor, op: str) -> float:
    """Return the share of a gate's values at an end of its range."""
    ends = (values < LOW) | (values > HIGH) if op == "sigmoid" else values.abs() > HIGH
    return float(ends.double().masked_fill(values.isnan(), torch.nan).mean())


def _dead(values: Tensor) -> float:
    """Return the share of units without a range."""
    ranges = values.amax(0) - values.amin(0)
    return float((ranges <= DEAD).double().masked_fill(ranges.isnan(), torch.nan).mean())


def _output_name(graph: Graph) -> str:
    """Return the name of what a cell gives; where that has none, its first state."""
    index = graph.result("output")
    return next((name for name, at in known_names(graph).items() if at == index), graph.states[0])
