"""Scan: a recurrence that is affine entry by entry, over all steps at once, and its derivative.

    forward   h_t = a_t * h_{t-1} + b_t,       h_{-1} given
    reverse   g_t = b_t + a_{t+1} * g_{t+1},   g_T given, with a_T = 1

Either is the derivative of the other: with g the reverse scan of the gradients that arrive at h, the gradient of b_t is
g_t, and that of a_t is g_t * h_{t-1}. So a gradient is a scan too, and can be differentiated any number of times. What
runs a scan is a `ScanRunner`: PyTorch operations, or a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ScanRunner = Callable[[Tensor, Tensor, Tensor, Tensor | None, bool], Tensor]
"""Runs a scan without a gradient: (coefficient, offset, first, restart, reverse) to the states, as of `scan_states`."""


def scan_states(
    run: ScanRunner, coefficient: Tensor, offset: Tensor, first: Tensor, restart: Tensor | None = None
) -> Tensor:
    """Return the state after every step; differentiable in all but `restart`.

    Args:
        run: what computes it.
        coefficient, offset: a and b, [T, B, n].
        first: the state before the first step, [B, n].
        restart: bool [T, B], true where a row's state becomes 0 before the step, whatever it was. Or None.

    Returns:
        [T, B, n].
    """
    states: Tensor = _Scan.apply(run, False, coefficient, offset, first, restart)  # type: ignore[no-untyped-call]
    return states


def states_before(states: Tensor, first: Tensor, restart: Tensor | None) -> Tensor:
    """Return the states as each step reads them, [T, B, n]: one step later, and 0 where they restart."""
    before = torch.cat([first.unsqueeze(0), states])[: len(states)]
    # Chosen, not multiplied: a state that is infinite or NaN becomes 0 too.
    return before if restart is None else before.masked_fill(restart.unsqueeze(-1), 0.0)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, run: ScanRunner, reverse: bool, coefficient: Tensor, offset: Tensor, first: Tensor, restart: Any
    ) -> Tensor:
        states = run(coefficient, offset, first, restart, reverse) if len(offset) else torch.empty_like(offset)
        ctx.run, ctx.reverse = run, reverse
        ctx.save_for_backward(coefficient, states, first, restart)
        return states

    @staticmethod
    def backward(ctx: Any, arriving: Tensor) -> tuple[Tensor | None, ...]:
        coefficient, states, first, restart = ctx.saved_tensors
        zero = torch.zeros_like(first)
        if not len(states):
            return None, None, torch.zeros_like(coefficient), arriving, zero, None
        d_offset: Tensor = _Scan.apply(ctx.run, not ctx.reverse, coefficient, arriving, zero, restart)  # type: ignore[no-untyped-call]
        if ctx.reverse:
            d_coefficient = states_before(d_offset, zero, restart) * states
            return None, None, d_coefficient, d_offset, d_offset[-1], None
        d_coefficient = d_offset * states_before(states, first, restart)
        d_first = coefficient[0] * d_offset[0]
        if restart is not None:
            d_first = d_first.masked_fill(restart[0].unsqueeze(-1), 0.0)
        return None, None, d_coefficient, d_offset, d_first, None
