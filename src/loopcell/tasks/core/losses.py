"""Losses of a number by name: which number each of them makes least is what a network learns to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Losses = Callable[[Tensor, Tensor], Tensor]


def squared(found: Tensor, true: Tensor) -> Tensor:
    """Return the squared error, which the mean makes least."""
    return (found - true) ** 2


def absolute(found: Tensor, true: Tensor) -> Tensor:
    """Return the absolute error, which the median makes least."""
    return (found - true).abs()


def huber(found: Tensor, true: Tensor) -> Tensor:
    """Return half the squared error up to 1 and the absolute error less 1/2 beyond (Huber, 1964)."""
    return functional.huber_loss(found, true, reduction="none")


POINT_LOSSES: Mapping[str, Losses] = {"mse": squared, "mae": absolute, "huber": huber}


def pinball(level: float) -> Losses:
    """Return the pinball loss, which the quantile at a level makes least (Koenker and Bassett, 1978)."""

    def of(found: Tensor, true: Tensor) -> Tensor:
        over = true - found
        return torch.maximum(level * over, (level - 1) * over)

    return of
