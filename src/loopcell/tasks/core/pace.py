"""The length and the rate of a training where its user does not say: by the number of examples, counted in updates.

Twenty passes over 50 examples in batches of 32 are 40 updates, which is not even a warm-up. So small sets are read in
smaller batches, and more often, until there are `LEAST_UPDATES`; large ones have the usual numbers. No torch here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

AUTO: Any = "auto"  # of a setting that the number of examples decides

LEAST_UPDATES = 1500
LEAST_BATCHES = 8  # of a pass, unless batches get too small for it; with fewer of the usual size a set is small
SMALLEST_BATCH = 4
FASTER = 2  # the learning rate of a small set is so many times the usual one
PATIENT_SHARE = 4  # patience is at least the least updates divided by this, and of a small set twice as many
WARM_SHARE = 10  # a warm-up is at most all updates divided by this

USUAL_SHARE = 0.1  # of the examples is held out
ENOUGH_HELD_OUT = 50  # examples, of numbers to predict: fewer say little about how good a prediction is
LARGEST_SHARE = 0.25


class Pace(NamedTuple):
    """The numbers of a training run.

    Attributes:
        batch_size: examples of an update.
        epochs: passes over the examples.
        patience: passes without a lower held-out loss after which training ends; None for never.
        learning_rate: the largest one.
        warmup: updates in which the rate rises.
    """

    batch_size: int
    epochs: int
    patience: int | None
    learning_rate: float
    warmup: int


def pace_of(given: Pace, usual: Pace, examples: int) -> Pace:
    """Fill in what is `AUTO`; what is given stays as it is.

    A set is small where a pass would have fewer than 8 batches of the usual size.

    | | |
    |---|---|
    | batch size | the usual one, halved until a pass has 8 batches; at least 4 |
    | passes | the usual number, or as many as make 1,500 updates |
    | patience | the usual number of passes, or as many as make 375 updates, and 750 of a small set |
    | warm-up | the usual number of updates, at most a tenth of all |
    | learning rate | the usual one, and twice that for a small set |

    Args:
        given: numbers, or `AUTO`.
        usual: for a large number of examples.
        examples: how many there are to train on.
    """
    batch_size = _batch_size(usual.batch_size, examples) if given.batch_size == AUTO else given.batch_size
    updates = math.ceil(examples / batch_size)  # of a pass
    epochs = max(usual.epochs, math.ceil(LEAST_UPDATES / updates)) if given.epochs == AUTO else given.epochs
    patience = given.patience
    if patience == AUTO and usual.patience is not None:
        # Some cells learn nothing for hundreds of updates, and then everything.
        least = LEAST_UPDATES / PATIENT_SHARE * (2 if _is_small(usual, examples) else 1)
        patience = max(usual.patience, math.ceil(least / updates))
    rate = usual.learning_rate * (FASTER if _is_small(usual, examples) else 1)
    return Pace(
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        learning_rate=rate if given.learning_rate == AUTO else given.learning_rate,
        warmup=min(usual.warmup, epochs * updates // WARM_SHARE) if given.warmup == AUTO else given.warmup,
    )


def held_out_share(given: float, examples: int) -> float:
    """Return the share of examples to hold out: what is given, or of `AUTO` a tenth, but 50 or a quarter if possible.

    Args:
        given: a share, or `AUTO`.
        examples: how many there are.
    """
    if given != AUTO:
        return float(given)
    return max(USUAL_SHARE, min(LARGEST_SHARE, ENOUGH_HELD_OUT / examples))


def _batch_size(usual: int, examples: int) -> int:
    size = usual
    while size // 2 >= SMALLEST_BATCH and examples < LEAST_BATCHES * size:
        size //= 2
    return size


def _is_small(usual: Pace, examples: int) -> bool:
    return examples < LEAST_BATCHES * usual.batch_size
