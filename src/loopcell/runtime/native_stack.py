"""A whole stack in one call of torch's own operator: all layers and directions, and dropout between layers.

cuDNN runs the layers of one call side by side, each a few steps behind the one below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.native import StackForm, operator_weights, run_rows
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.passes.recognise import TorchForm
from loopcell.runtime.asked import refuse
from loopcell.runtime.dispatch import autocast_converts, narrow_results
from loopcell.runtime.execute import Executable
from loopcell.runtime.half import converted, converted_weights
from loopcell.runtime.obstacles import DROPPED_TWICE
from loopcell.runtime.on_native import form_of, has_nothing
from loopcell.runtime.programs import gradients_of
from loopcell.runtime.routes import Route, route
from loopcell.runtime.twice import differentiable_twice

StackResults = tuple[Tensor, dict[str, Tensor]]
"""The output [T, B, D * O], and the states after the last step, [L * D, B, n] by name."""


@dataclass(frozen=True)
class Layers:
    """Layers of one cell, less what they compute on.

    Attributes:
        executables: what runs each layer.
        directions: D.
        dropout: probability of dropping an output of every layer but the last; 0 in evaluation.
        training: take the equations as training has them.
    """

    executables: tuple[Executable, ...]
    directions: int
    dropout: float
    training: bool


def run_native_stack(
    layers: Layers, x: Tensor, states: Mapping[str, Tensor], weights: Sequence[Weights], rows: Lengths
) -> StackResults | None:
    """Run a stack in one call; None where another path runs, or each layer by itself.

    Args:
        layers: of the stack.
        x: the input [T, B, I].
        states: before the first step, [L * D, B, n] each, by name.
        weights: the parameters, for each layer and direction.
        rows: where rows end and start afresh.

    Raises:
        UsageError: torch's own operator is demanded, and cannot run.
    """
    first, tensors = layers.executables[0], [base for one in weights for base in one.bases]
    runner = first.runner(training=layers.training)
    one_dtype = not autocast_converts(x)
    if route((x, *states.values(), *tensors), runner, rows, one_dtype=one_dtype) != Route("native"):
        return None
    form = form_of(runner.programs)
    if form is None or has_nothing(x, rows):
        return None
    half = narrow_results(x.dtype, x.device)
    if half is None:
        return _run(layers, form, x, states, weights, rows)
    results = first.results_dtype(x, list(states.values()))
    with torch.autocast(x.device.type, enabled=False):
        narrow = dict(zip(states, converted(states.values(), half), strict=True))
        y, after = _run(layers, form, x.to(half), narrow, [converted_weights(one, half) for one in weights], rows)
    return y.to(results), {name: state.to(results) for name, state in after.items()}


def _run(
    layers: Layers,
    form: TorchForm,
    x: Tensor,
    states: Mapping[str, Tensor],
    weights: Sequence[Weights],
    rows: Lengths,
) -> StackResults:
    directions, before = layers.directions, [states[name] for name in form.states]
    output = before[0].shape[-1]
    tensors = []
    for place, one in enumerate(weights):
        inputs = x.shape[-1] if place < directions else directions * output
        tensors += operator_weights(form, one, inputs, output)
    stack = StackForm(form, len(layers.executables), directions, layers.dropout)
    y, after = run_rows(stack, x, before, tensors, rows.to_host())
    results = [y, *(after[form.states.index(name)] for name in states)]
    if y.requires_grad:  # as it does where anything that was read does
        read = [x, *states.values(), *(base for one in weights for base in one.bases)]
        layouts = [(one.layout, len(one.bases)) for one in weights]

        def gradients(
            tensors: list[Tensor], arriving: Sequence[Tensor | None], wanted: Sequence[bool]
        ) -> list[Tensor | None]:
            if layers.dropout:
                refuse(DROPPED_TWICE)
            bases = iter(tensors[1 + len(states) :])
            again = [Weights(tuple(next(bases) for _ in range(count)), layout) for layout, count in layouts]
            named = dict(zip(states, tensors[1:], strict=False))
            return gradients_of(
                lambda: _by_equations(layers, tensors[0], named, again, rows), tensors, arriving, wanted
            )

        results = differentiable_twice(results, read, gradients)
    y, *after = results
    return y, dict(zip(states, after, strict=True))


def _by_equations(
    layers: Layers, x: Tensor, states: Mapping[str, Tensor], weights: Sequence[Weights], rows: Lengths
) -> list[Tensor]:
    """Return the output and the final states by PyTorch operations, for a gradient of a gradient."""
    finals: list[list[Tensor]] = []
    for executable in layers.executables:
        programs = executable.runner(training=layers.training).programs
        outputs = []
        for direction in range(layers.directions):
            place = len(finals)
            leaves = {Key("input", executable.cell.inputs[0]): rows.reverse(x) if direction else x}
            leaves |= {Key("state", name): state[place] for name, state in states.items()}
            y, after, _ = programs.run_reference(leaves, weights[place], executable.sizes, rows)
            outputs.append(rows.reverse(y) if direction else y)
            finals.append(after)
        x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
    return [x, *(torch.stack([final[place] for final in finals]) for place in range(len(states)))]
