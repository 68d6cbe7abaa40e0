"""The check of a loss of the user's: it gives a loss for each example or value, or their mean."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator.engine import Loss
from loopcell.tasks.core.estimator.weights import weigh


def counted(found: Any, rows: int, weights: Tensor | None = None) -> Loss:
    """Return the sum of the losses that a function gave, and how many they are.

    Raises:
        UsageError: it gave no numbers, not one for each example, or their mean where examples have weights.
    """
    if not isinstance(found, Tensor) or not torch.is_floating_point(found):
        kind = f"a tensor of {found.dtype}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise UsageError(f"loss: the function has to return a tensor of losses, got {kind}")
    if not found.ndim:
        if weights is not None:
            raise UsageError(
                "loss: with sample_weight the function has to return a loss for each example (reduction='none'), and "
                "it returns their mean"
            )
        return Loss(found * rows, rows)
    if len(found) != rows:
        raise UsageError(
            f"loss: of {rows} examples the function has to return a loss for each, or their mean; got the shape "
            f"{list(found.shape)}"
        )
    return Loss(weigh(found, weights), found.numel())
