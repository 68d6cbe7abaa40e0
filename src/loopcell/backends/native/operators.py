"""The call of torch's operators: layers and directions of one cell, over rows of equal length or packed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.native.flat import in_one_piece
from loopcell.passes.recognise import TorchForm

_VF = torch._VF  # noqa: SLF001 - torch.nn calls them by this name

_OPERATORS: dict[str, Callable[..., Any]] = {
    "LSTM": _VF.lstm,
    "GRU": _VF.gru,
    "RNN_TANH": _VF.rnn_tanh,
    "RNN_RELU": _VF.rnn_relu,
}


@dataclass(frozen=True)
class StackForm:
    """What the operator is told beside its tensors.

    Attributes:
        cell: the equations.
        layers: L.
        directions: D.
        dropout: probability of dropping an output of every layer but the last; 0 in evaluation.
    """

    cell: TorchForm
    layers: int = 1
    directions: int = 1
    dropout: float = 0.0


def run_stack(
    form: StackForm,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Run layers and directions.

    Args:
        form: of the stack.
        x: the input [T, B, I]; [N, I] of packed rows.
        states: before the first step, [L * D, B, n] each, in the form's order.
        weights: of all layers and directions, as `operator_weights` returns them.
        batch_sizes: of packed rows, on the CPU: how many run at each step.

    Returns:
        The output, in the form of the input, and the states after each row's last step.
    """
    weights = in_one_piece(form.cell, weights, x.shape[-1], form.layers, form.directions)
    hidden = [state.contiguous() for state in states]
    # cuDNN saves for a gradient in "training" alone, which otherwise decides about dropout; that is 0 in evaluation.
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *hidden, *weights))
    settings = (form.cell.has_bias, form.layers, form.dropout, wanted or form.dropout > 0, form.directions > 1)
    hx = hidden if form.cell.kind == "LSTM" else hidden[0]
    operator = _OPERATORS[form.cell.kind]
    if batch_sizes is None:
        y, *after = operator(x, hx, weights, *settings, False)
    else:
        y, *after = operator(x, batch_sizes, hx, weights, *settings)
    return y, after
