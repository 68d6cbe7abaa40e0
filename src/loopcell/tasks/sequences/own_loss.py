"""A loss of the user's, in place of that of a network which gives one row of numbers a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from loopcell.tasks.core.estimator import Loss, SequenceBatch
from loopcell.tasks.core.estimator.own_loss import counted


def own_loss(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Any], *, single: bool
) -> Callable[[SequenceBatch], Loss]:
    """Return the loss of a batch, computed by a function of the user's.

    Args:
        network: gives [B, K] of a batch's inputs, lengths and static values.
        loss: of what the network gives and what is true.
        single: whether the function is to be given [B] of a K of 1.
    """

    def of_batch(batch: SequenceBatch) -> Loss:
        given, true = network(batch.inputs, batch.lengths, batch.static), batch.targets
        found = loss(given[:, 0], true[:, 0]) if single else loss(given, true)
        return counted(found, len(given), batch.weights)

    return of_batch
