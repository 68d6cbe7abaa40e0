"""Layer by layer: all layers and directions of a stack, in one call of torch's own operator or one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from loopcell.layers.sequences import dropped
from loopcell.layers.spec import StackSpec
from loopcell.runtime import KernelCall, Layers, Lengths, Weights, native_is_tried, run_native_stack

_NO_INPUTS: Mapping[str, Tensor] = {}


class LayeredNetwork(Protocol):
    """What is asked of a network whose layers run.

    Attributes:
        training: draw random numbers, rather than take their means.
    """

    training: bool

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the layers and directions, in order."""

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the parameters of one layer and direction."""


class LayersResults(NamedTuple):
    """The results of all layers.

    Attributes:
        output: [T, B, D * O].
        states: after the last step, [L * D, B, n], by name.
        recorded: by name, [T, B, n] for each layer and direction.
        kernel_calls: for each of these; None where other calls cannot repeat it.
    """

    output: Tensor
    states: dict[str, Tensor]
    recorded: dict[str, list[Tensor]]
    kernel_calls: list[KernelCall | None]


def run_layers(
    net: LayeredNetwork,
    spec: StackSpec,
    x: Tensor,
    state: Mapping[str, Tensor],
    rows: Lengths,
    record: tuple[str, ...] = (),
    *,
    packed: bool = False,
    further: Mapping[str, Tensor] = _NO_INPUTS,
) -> LayersResults:
    """Run one layer after the other, as a spec says; nothing is checked.

    Args:
        net: the network.
        spec: of the network, or one that differs in what runs each layer, in dropout or in checkpoints.
        x: the input [T, B, I].
        state: the states before the first step, [L * D, B, n] each, by name.
        rows: where rows end and start afresh.
        record: names of values to return at every step.
        packed: dropout draws as torch.nn does for a PackedSequence.
        further: the inputs [T, B, n] beside x, by name; each layer reads them.
    """
    if not record and not further and native_is_tried(x.device):
        found = _in_one_call(net, spec, x, state, rows)
        if found is not None:
            return found
    finals: list[list[Tensor]] = []
    recorded: dict[str, list[Tensor]] = {name: [] for name in record}
    calls = []
    directions = [(rows, further)]
    if spec.bidirectional:
        directions.append((rows.reversed(), {name: rows.reverse(tensor) for name, tensor in further.items()}))
    segment = math.isqrt(rows.steps) if spec.checkpoint_steps == 0 else spec.checkpoint_steps or 0
    for layer, executable in enumerate(spec.executables):
        outputs = []
        for direction, (lengths, beside) in enumerate(directions):
            # Row layer * D + direction, which is how many have run so far.
            before = [tensor[len(finals)] for tensor in state.values()]
            inner, weights = rows.reverse(x) if direction else x, net.sources(layer, direction)
            y, after, seen, call = executable(
                inner, before, weights, lengths, training=net.training, record=record, segment=segment, further=beside
            )
            for name, value in seen.items():
                recorded[name].append(rows.reverse(value) if direction else value)
            outputs.append(rows.reverse(y) if direction else y)  # each output at the step of its input
            finals.append(after)
            calls.append(call)
        x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        if spec.dropout and layer < spec.num_layers - 1:
            x = dropped(x, spec.dropout, rows, training=net.training, packed=packed)
    return LayersResults(x, stacked(state, finals), recorded, calls)


def _in_one_call(
    net: LayeredNetwork, spec: StackSpec, x: Tensor, state: Mapping[str, Tensor], rows: Lengths
) -> LayersResults | None:
    """Run a stack in one call of torch's own operator; None where another path runs; arguments as of `run_layers`."""
    if spec.checkpoint_steps is not None and torch.is_grad_enabled():  # it saves what lies between checkpoints
        return None
    dropout = spec.dropout if net.training else 0.0
    layers = Layers(spec.executables, 2 if spec.bidirectional else 1, dropout, net.training)
    found = run_native_stack(layers, x, state, [net.sources(*place) for place in net.places()], rows)
    return None if found is None else LayersResults(*found, {}, [None] * len(spec.executables))


def stacked(names: Iterable[str], finals: Sequence[list[Tensor]]) -> dict[str, Tensor]:
    """Return [L * D, B, n] by name, of the final states [B, n] of layers and directions.

    Tensors of their own in any case: a view could not be cut off in place, as `h.detach_()` does between chunks.
    """
    return {name: torch.stack([final[place] for final in finals]) for place, name in enumerate(names)}
