"""What the end of a training run says: whether it was long enough, whether it learned anything, what to try."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from loopcell.tasks.networks.shrinkage import ENOUGH, FEWEST
from loopcell.tasks.pace import AUTO, Pace
from loopcell.tasks.settings import TrainingSettings
from loopcell.training.loop import Outcome

CHANCE = 0.005  # how seldom one pass has the gain by chance; the best of many has it far more often
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
    """Sentences about a run that did not come far: it ended in its warm-up, or nothing was learned.

    Args:
        outcome: how it ended.
        settings: what was asked for.
        pace: the numbers that it had.
        naive: what stands beside its best held-out loss, where there is something.
    """
    advice, best = what_to_try(outcome, settings, pace), outcome.position.best_loss
    found = []
    if not outcome.warm and outcome.reason != "interrupted":
        found.append(
            f"training ended in its warm-up, at update {outcome.position.update:,}, before the learning rate had "
            f"reached its height: {advice}"
        )
    if naive is not None and best is not None and not best < naive.loss:
        found.append(
            f"nothing was learned: the held-out loss {best:.4f} is no better than the {naive.loss:.4f} of "
            f"{naive.what}, whatever the input: {advice}"
        )
    return found


def chance_notes(gains: npt.NDArray[np.float64], advice: str) -> list[str]:
    """Return a sentence where few held-out examples do not tell what was learned from chance, else nothing.

    The best of many passes by five examples has a lower loss than knowing nothing, whatever was learned. So the mean
    gain has to pass Student's one-sided test at a level of 1 in 200: 4.6 standard errors of 5 examples, 2.7 of 60.

    Args:
        gains: by how much the loss of each held-out example is below that of knowing nothing, [N].
        advice: what to try.
    """
    count = len(gains)
    if not FEWEST <= count < ENOUGH:
        return []
    mean, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(count)
    if not 0 < mean <= error * float(stdtrit(count - 1, 1.0 - CHANCE)):  # below 0 it is said: nothing was learned
        return []
    sentence = (
        f"what was learned cannot be told from chance by {count:,} held-out examples: their mean loss is {mean:.4f} "
        f"below that of saying how frequent each label is, with a standard error of {error:.4f}; more examples may "
        f"tell, or {advice}"
    )
    return [sentence]


def what_to_try(outcome: Outcome, settings: TrainingSettings, pace: Pace) -> str:
    """Arguments that may make a run better, by how it ended."""
    position, tries = outcome.position, []
    if outcome.reason == "time limit" and settings.time_limit is not None:
        tries.append(f"time_limit={4 * settings.time_limit:g}")
    if outcome.reason == "patience" and pace.patience is not None:
        tries.append(f"patience={2 * pace.patience}")
    if outcome.reason == "complete" and (not outcome.warm or position.best_update >= LATE * position.update):
        tries.append(f"epochs={3 * pace.epochs}")
    if not outcome.warm:
        tries.append(f"warmup={max(1, position.update // 10)}")
    else:
        tries.append(f"learning_rate={2 * pace.learning_rate:g} or learning_rate={pace.learning_rate / 4:g}")
    if getattr(settings, "pooling", None) in ("last", AUTO):  # "auto" never comes to "mean"
        tries.append("pooling='mean'")
    return f"try {', '.join(tries)}"
