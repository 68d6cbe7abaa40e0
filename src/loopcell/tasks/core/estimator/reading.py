"""The numbers that a network gives for examples: checked, and in the order of the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from loopcell.errors import InputError
from loopcell.tasks.core.estimator.examples import Indices
from loopcell.tasks.core.networks.non_finite import cause_in


def demand_finite(network: nn.Module, read: Callable[[], list[Any] | Tensor]) -> list[Any] | Tensor:
    """Refuse to answer with what is not a number; the error says where it comes from."""
    found = read()
    values = [found] if isinstance(found, Tensor) else map(torch.as_tensor, found)
    if not all(bool(torch.isfinite(value).all()) for value in values):
        cause = cause_in(network, read) or "its weights, or the numbers of the input, are too large"
        raise InputError(f"the model gives scores that are not finite: {cause}")
    return found


def in_order(count: int, parts: Iterator[tuple[Indices, Any]]) -> list[Any]:
    """Put what was read back into the order of the examples."""
    found: list[Any] = [None] * count
    for indices, values in parts:
        for index, value in zip(indices.tolist(), values, strict=True):
            found[index] = value
    return found


def stacked(count: int, parts: Iterator[tuple[Indices, Any]], width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the rows [K] of each example as float64 [N, K], in the order of the examples."""
    rows = np.zeros((count, width))
    for indices, values in parts:
        rows[indices] = values.double().cpu().numpy()
    return rows
