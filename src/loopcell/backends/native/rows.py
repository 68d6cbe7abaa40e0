"""Rows of unequal length on torch's operators, which take them packed: sorted, the longest first, and none empty.

A row of length 0 does not go in; its output is 0, and its state stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from loopcell.backends.native.operators import StackForm, run_stack

_pack = torch._VF._pack_padded_sequence  # noqa: SLF001 - torch.nn.utils.rnn without its checks
_unpack = torch._VF._pad_packed_sequence  # noqa: SLF001


def run_rows(
    form: StackForm, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], lengths: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """Run layers and directions over padded rows.

    Args:
        form: of the stack.
        x: the input [T, B, I].
        states: before the first step, [L * D, B, n] each, in the form's order.
        weights: as of `run_stack`.
        lengths: [B], on the CPU, at least one above 0; None where all rows are T long.

    Returns:
        The output [T, B, D * O], 0 past a row's end, and the states after each row's last step.
    """
    steps, batch, _ = x.shape
    if lengths is None or int(lengths.min()) >= steps:
        return run_stack(form, x.contiguous(), states, weights)
    ordered, order = lengths.sort(descending=True, stable=True)
    count = int((ordered > 0).sum())
    rows = order[:count].to(x.device, non_blocking=True)
    data, batch_sizes = _pack(x.index_select(1, rows), ordered[:count], False)
    y, after = run_stack(form, data, [state.index_select(1, rows) for state in states], weights, batch_sizes)
    padded, _ = _unpack(y, batch_sizes, False, 0.0, steps)
    y = padded.new_zeros((steps, batch, padded.shape[-1])).index_copy(1, rows, padded)
    return y, [before.to(new.dtype).index_copy(1, rows, new) for before, new in zip(states, after, strict=True)]
