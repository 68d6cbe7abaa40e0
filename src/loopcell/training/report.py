"""Reports of the loop to those who watch it, once an update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loopcell.training.watched import LayerLook


@dataclass(frozen=True)
class Report:
    """One update.

    Attributes:
        update: updates so far, this one included.
        total_updates: updates of a run that nothing ends early.
        epoch: whole passes over the data so far.
        predictions: predictions trained on so far.
        loss: mean loss of this update's predictions.
        train_loss: mean loss since the last row of metrics, where a row is due.
        gradient_norm: norm of the mean loss's gradient before clipping.
        learning_rate: the rate that the update used.
        seconds: time spent training so far.
        validation_loss: mean loss on held-out data, where an evaluation was due.
        best: whether that is the lowest so far.
        clip_rate: share of the updates since the last row of metrics whose gradient was clipped, where a row is due.
        looks: at the layers, since the last report.
    """

    update: int
    total_updates: int
    epoch: int
    predictions: int
    loss: float
    train_loss: float | None
    gradient_norm: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    best: bool = False
    clip_rate: float | None = None
    looks: Sequence[LayerLook] = ()


class Observer(Protocol):
    """Someone who watches a run; only the first process has observers."""

    def observe(self, report: Report) -> None:
        """Take note of one update."""
        ...
