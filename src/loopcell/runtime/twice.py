"""Twice: a second derivative of what PyTorch differentiates once.

An operator such as cuDNN's has a gradient that has none. Its results go through a function that passes gradients on as
they are; where a gradient of the gradient is wanted, or many gradients at once, it lets the operator's gradient lie and
computes the same one by the equations, as PyTorch operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from loopcell.runtime.asked import demanded, refuse_fallback
from loopcell.runtime.dispatch import is_in_memory, transformation
from loopcell.runtime.kernels import obstacle_of_backward

Gradients = Callable[[list[Tensor], Sequence[Tensor | None], Sequence[bool]], list[Tensor | None]]
"""Of tensors, of the gradients that arrive at results, and of which tensors want one: the gradients by operations."""


def differentiable_twice(results: Sequence[Tensor], tensors: Sequence[Tensor], gradients: Gradients) -> list[Tensor]:
    """Return results of an operator that can be differentiated as often as one likes.

    Args:
        results: what the operator gave.
        tensors: what it read.
        gradients: the same gradient as PyTorch operations.
    """
    return list(_Twice.apply(gradients, len(results), *results, *tensors))  # type: ignore[no-untyped-call]


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradients: Gradients, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.gradients, ctx.count, ctx.demanded = gradients, count, demanded()
        ctx.save_for_backward(*tensors[count:])
        ctx.set_materialize_grads(False)
        # Detached, they count versions together with the operator's own: a caller who writes to them is found out.
        return tuple(tensor.detach() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Any, ...]:
        tensors = ctx.saved_tensors
        there = [tensor for tensor in arriving if tensor is not None]
        if not torch.is_grad_enabled() and transformation() is None and all(map(is_in_memory, there)):
            return (None, None, *arriving, *[None] * len(tensors))
        refuse_fallback(obstacle_of_backward((*arriving, *tensors)), earlier=ctx.demanded)
        wanted = ctx.needs_input_grad[2 + ctx.count :]
        return (None, None, *[None] * ctx.count, *ctx.gradients(list(tensors), arriving, wanted))
