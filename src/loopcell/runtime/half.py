"""Half precision: what is stored, or asked for, in two bytes a number is computed in float32, and rounded at the end.

Sums are never narrower than float32. Whether a call is one of these is said by `dispatch.narrow_results`, and what
kernels may round before they multiply by `products.kernel_choice`; here tensors change their dtype.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from loopcell.backends.weights import Weights
from loopcell.runtime.kernels import RunResults


def widened_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which kernels compute on tensors of a dtype."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def widened(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return tensors in float32, differentiable."""
    return converted(tensors, torch.float32)


def widened_weights(weights: Weights) -> Weights:
    """Return the parameters in float32, differentiable."""
    return converted_weights(weights, torch.float32)


def converted(tensors: Iterable[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Return tensors in a dtype, differentiable."""
    return [tensor.to(dtype) for tensor in tensors]


def converted_weights(weights: Weights, dtype: torch.dtype) -> Weights:
    """Return the parameters in a dtype, differentiable."""
    return Weights(tuple(converted(weights.bases, dtype)), weights.layout)


def narrowed(results: RunResults, dtype: torch.dtype) -> RunResults:
    """Return the results of a run in another dtype, differentiable."""
    output, states, recorded = results
    seen = {name: value.to(dtype) for name, value in recorded.items()}
    return output.to(dtype), [state.to(dtype) for state in states], seen
