"""The Python and torch of every op: text over operands {0}, {1}, ...

Vectors are tensors [..., n], scalars [..., 1], vector parameters [n]; everything broadcasts over leading axes,
so one spelling serves a step [B, n], a whole sequence [T, B, n] and a single example [n].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SPELLING: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "sigmoid": "sigmoid({0})",
    "tanh": "tanh({0})",
    "relu": "relu({0})",
    "exp": "exp({0})",
    "log": "log({0})",
    "softplus": "softplus({0})",
    "sqrt": "sqrt({0})",
    "abs": "abs({0})",
    "minimum": "minimum({0}, {1})",
    "maximum": "maximum({0}, {1})",
    "greater": "greater({0}, {1})",
    "where": "where({0}, {1}, {2})",
    "matmul": "linear({1}, {0})",
    "matmul_t": "transposed({operands})",
    "sum": "total({0})",
    "expand": "expand({0}, {size}, {like})",
    "sized": "{0}",
}


def _tensor_pair(left: Tensor | float, right: Tensor | float) -> tuple[Tensor, Tensor]:
    like = left if isinstance(left, Tensor) else right
    if not isinstance(like, Tensor):
        return torch.tensor(left, device="cpu"), torch.tensor(right, device="cpu")
    made = [
        value if isinstance(value, Tensor) else torch.full((), value, dtype=like.dtype, device=like.device)
        for value in (left, right)
    ]
    return made[0], made[1]


def _lifted(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor | float], Tensor]:
    """Let a function take numbers too: evaluation puts a draw's mean, a number, where training had a tensor."""

    def call(value: Tensor | float) -> Tensor:
        # A double of no dimensions: exact, and it never changes the dtype of what it meets.
        return function(value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64, device="cpu"))

    return call


def _minimum(left: Tensor | float, right: Tensor | float) -> Tensor:
    return torch.minimum(*_tensor_pair(left, right))


def _maximum(left: Tensor | float, right: Tensor | float) -> Tensor:
    return torch.maximum(*_tensor_pair(left, right))


def _greater(left: Tensor | float, right: Tensor | float) -> Tensor:
    """Return 1 where left > right, else 0, in the operands' dtype: a condition is a number like any other."""
    pair = _tensor_pair(left, right)
    return (pair[0] > pair[1]).to(pair[0].dtype)


def _where(condition: Tensor | float, chosen: Tensor | float, otherwise: Tensor | float) -> Tensor:
    if not isinstance(condition, Tensor):  # a constant, or a draw's mean
        like = next((value for value in (chosen, otherwise) if isinstance(value, Tensor)), torch.empty(()))
        condition = torch.full((), condition, dtype=like.dtype, device=like.device)
    if not isinstance(chosen, Tensor) and not isinstance(otherwise, Tensor):
        chosen = torch.full((), chosen, dtype=condition.dtype, device=condition.device)
    return torch.where(condition != 0, chosen, otherwise)


def _softplus(value: Tensor) -> Tensor:
    # F.softplus turns linear above its threshold of 20, an error of 2e-9; logaddexp is exact and safe at both ends.
    return torch.logaddexp(value, torch.zeros_like(value))


def _total(value: Tensor) -> Tensor:
    return value.sum(-1, keepdim=True)


def _expand(value: Tensor | float, size: int, like: Tensor) -> Tensor:
    """Return a vector of one number; a plain number takes the dtype and the device of `like`."""
    return value.expand(*value.shape[:-1], size) if isinstance(value, Tensor) else like.new_full((size,), value)


def _transposed(*operands: Tensor) -> Tensor:
    """Return P^T d + Q^T e + ... for operands P, d, Q, e, ..."""
    parts = [vector @ matrix for matrix, vector in zip(operands[0::2], operands[1::2], strict=True)]
    return sum(parts[1:], parts[0])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": _lifted(torch.sigmoid),
    "tanh": _lifted(torch.tanh),
    "relu": _lifted(torch.relu),
    "exp": _lifted(torch.exp),
    "log": _lifted(torch.log),
    "softplus": _lifted(_softplus),
    "sqrt": _lifted(torch.sqrt),
    "abs": _lifted(torch.abs),
    "minimum": _minimum,
    "maximum": _maximum,
    "greater": _greater,
    "where": _where,
    "linear": functional.linear,
    "transposed": _transposed,
    "total": _total,
    "expand": _expand,
}
"""What the spellings call, by the name they use."""
