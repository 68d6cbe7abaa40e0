"""The gradient that reaches a cell's state, step by step back: one number a step, so that cells stand side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from loopcell.insight import gradient_flow
from loopcell.insight.nudges import changing_states
from loopcell.layers.stack import Stack


def norms_back(
    layers: Stack, x: Tensor, loss: Callable[[Tensor], Tensor] | None = None, lengths: Any = None
) -> list[float]:
    """Return the norm of dL/ds_t over the states s of the last layer, forward, from the last step back, [T].

    A cell may carry its memory in another state than its output, as an LSTM does in c, so all states count together;
    but for those that the cell hands on as they were. Rows count from their own last step, each as far as it goes: the
    root mean square over the rows that are so long. Of a cell that changes no state there is nothing to return.

    Args:
        layers: recurrent layers.
        x: as `gradient_flow` takes it.
        loss: of the output; None for each row's last output along a random direction.
        lengths: steps of each row.
    """
    if not changing_states(layers.cell.graph):
        return []
    flow = gradient_flow(layers, x, loss, lengths=lengths, dynamics=False)
    last = [layer for layer in flow.layers if layer.direction == 0][-1]
    squares = sum(np.square(last.back(state)) for state in last.norms)
    return [float(f"{norm:.4g}") for norm in np.sqrt(squares)]
