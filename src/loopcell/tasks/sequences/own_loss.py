"""A loss of the user's, in place of that of a network which gives one row of numbers a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator import Loss, SequenceBatch
from loopcell.tasks.core.estimator.weights import weigh


def own_loss(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Any], *, single: bool
) -> Callable[[SequenceBatch], Loss]:
    """Return the loss of a batch, computed by a function of the user's.

    Args:
        network: gives [B, K] of a batch's inputs and lengths.
        loss: of what the network gives and what is true.
        single: whether the function is to be given [B] of a K of 1.
    """

    def of_batch(batch: SequenceBatch) -> Loss:
        given, true = network(batch.inputs, batch.lengths), batch.targets
        found = loss(given[:, 0], true[:, 0]) if single else loss(given, true)
        return _counted(found, len(given), batch.weights)

    return of_batch


def _counted(found: Any, rows: int, weights: Tensor | None) -> Loss:
    """The sum of what a function gave, and how many numbers that is the sum of.

    Raises:
        UsageError: it gave no numbers, not one for each example, or their mean where examples have weights.
    """
    if not isinstance(found, Tensor) or not torch.is_floating_point(found):
        kind = f"a tensor of {found.dtype}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise UsageError(f"loss: the function has to return a tensor of losses, got {kind}")
    if not found.ndim:
        if weights is not None:
            raise UsageError(
                "loss: with sample_weight the function has to return a loss for each example (reduction='none'), and it "
                "returns their mean"
            )
        return Loss(found * rows, rows)
    if len(found) != rows:
        raise UsageError(
            f"loss: of {rows} examples the function has to return a loss for each, or their mean; got the shape "
            f"{list(found.shape)}"
        )
    return Loss(weigh(found, weights), found.numel())
