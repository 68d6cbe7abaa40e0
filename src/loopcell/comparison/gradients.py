"""The gradient that reaches a cell's state, step by step back: one number a step, so that cells stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.flow_of_layer import norms_by_steps_back
from loopcell.insight.last_outputs import last_outputs
from loopcell.insight.nudges import NudgedRun, changing_states
from loopcell.layers.further_inputs import read_inputs
from loopcell.layers.sequences import as_lengths, checked_lengths
from loopcell.layers.stack import Stack


def norms_back(
    layers: Stack,
    x: Tensor,
    loss: Callable[[Tensor], Tensor] | None = None,
    lengths: Any = None,
    inputs: Mapping[str, Tensor] = MappingProxyType({}),
) -> list[float]:
    """Return the norm of dL/ds_t over the states s of the last layer, forward, from the last step back, [T].

    A cell may carry its memory in another state than its output, as an LSTM does in c, so all states count together;
    but for those that the cell hands on as they were. Rows count from their own last step, each as far as it goes: the
    root mean square over the rows that are so long. Of a cell that changes no state there is nothing to return.

    Args:
        layers: recurrent layers; they are read as in evaluation.
        x: the input, [T, B, I], or [B, T, I] with batch_first.
        loss: of the output, in the form that the layers give; None for each row's last output along a random direction.
        lengths: steps of each row.
        inputs: the cell's further inputs by name, as in a call.
    """
    states = changing_states(layers.cell.graph)
    if not states:
        return []
    given = x.transpose(0, 1) if layers.batch_first else x
    rows = checked_lengths(given, as_lengths(lengths, given.shape[1]), None)
    read = read_inputs(layers.spec, inputs, given).items()
    with in_evaluation(layers):
        further = {name: rows.without_padding(one.detach()) for name, one in read}
        run = NudgedRun(layers, states, rows.without_padding(given.detach()), rows, further=further)
    output = run.output.transpose(0, 1) if layers.batch_first else run.output
    with torch.enable_grad():
        value = last_outputs(run.output, rows, layers.num_directions) if loss is None else loss(output)
    nudges = run.nudges[-layers.num_directions].values()
    found = torch.autograd.grad(value, list(nudges), allow_unused=True, materialize_grads=True)
    squares = sum(np.square(norms_by_steps_back(gradient, rows)) for gradient in found)
    return [float(f"{norm:.4g}") for norm in np.sqrt(squares)]
