"""Sentences about the end of a training: whether it was long enough, whether it learned anything, what to try."""

from __future__ import annotations

from typing import NamedTuple

from loopcell.tasks.core.pace import AUTO, Pace
from loopcell.tasks.core.settings import TrainingSettings
from loopcell.training.loop import Outcome

LATE = 0.9  # the best weights after this share of all updates: the loss was still falling


class Naive(NamedTuple):
    """The held-out loss of something that does not look at the input.

    Attributes:
        what: says what it gives, such as "how frequent each label is".
        loss: as the network's is measured.
    """

    what: str
    loss: float


def notes_of(outcome: Outcome, settings: TrainingSettings, pace: Pace, naive: Naive | None) -> list[str]:
    """Sentences about a run that did not come far: it had nothing left to do, ended in its warm-up, or learned nothing.

    Args:
        outcome: how it ended.
        settings: what was asked for.
        pace: the numbers that it had.
        naive: what stands beside its best held-out loss, where there is something.
    """
    best, found = outcome.position.best_loss, []
    if not outcome.warm and outcome.reason != "interrupted":
        found.append(
            f"training ended in its warm-up, at update {outcome.position.update:,}, before the learning rate had "
            "reached its height"
        )
    if naive is not None and best is not None and not best < naive.loss:
        found.append(
            f"nothing was learned: the held-out loss {best:.4f} is no better than the {naive.loss:.4f} of "
            f"{naive.what}, whatever the input"
        )
    if found:  # the cure of both is the same, and is said once
        found[-1] += f": {what_to_try(outcome, settings, pace)}"
    return [outcome.idle, *found] if outcome.idle else found


def what_to_try(outcome: Outcome, settings: TrainingSettings, pace: Pace) -> str:
    """Arguments that may make a run better, by how it ended."""
    position, tries = outcome.position, []
    if outcome.reason == "time limit" and settings.time_limit is not None:
        tries.append(f"time_limit={4 * settings.time_limit:g}")
    if outcome.reason == "patience" and pace.patience is not None:
        tries.append(f"patience={2 * pace.patience}")
    if outcome.reason == "complete" and (not outcome.warm or position.best_update >= LATE * position.update):
        updates = getattr(settings, "updates", None)  # of a language model, in place of epochs
        tries.append(f"updates={3 * updates}" if updates else f"epochs={3 * pace.epochs}")
    if not outcome.warm:
        tries.append(f"warmup={max(1, position.update // 10)}")
    else:
        tries.append(f"learning_rate={2 * pace.learning_rate:g} or learning_rate={pace.learning_rate / 4:g}")
    if getattr(settings, "pooling", None) in ("last", AUTO):  # "auto" never comes to "mean"
        tries.append("pooling='mean'")
    return f"try {', '.join(tries)}"
