"""The gradient that reaches a cell's state, step by step back: one number a step, so that cells stand side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from loopcell.insight import gradient_flow
from loopcell.layers.stack import Stack


def norms_back(
    layers: Stack, x: Tensor, loss: Callable[[Tensor], Tensor] | None = None, lengths: Any = None
) -> list[float]:
    """Return the norm of dL/ds_t over all states s of the last layer, forward, from the last step back, [T].

    A cell may carry its memory in another state than its output, as an LSTM does in c, so all states count together.

    Args:
        layers: recurrent layers.
        x: as `gradient_flow` takes it.
        loss: of the output; None for the last output along a random direction.
        lengths: steps of each row.
    """
    flow = gradient_flow(layers, x, loss, lengths=lengths, dynamics=False)
    last = [layer for layer in flow.layers if layer.direction == 0][-1]
    squares = sum(np.square(last.back(state)) for state in last.norms)
    return [float(f"{value:.4g}") for value in np.sqrt(squares)]
