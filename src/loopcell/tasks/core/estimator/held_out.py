"""The score of what `fit` held out, within what a time limit leaves of a run."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from loopcell.data.readers.growing import size_of
from loopcell.data.stored import most_in_memory
from loopcell.tasks.core.estimator.parts import Part
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.training.loop import Outcome

A_SECOND = 500  # examples that a baseline learns from in a second, on a slow machine
FEWEST = 100  # examples that are worth a baseline
FORMS = 4  # of what is held in memory: the training's own arrays are there no longer
LOOKED_AT = 100  # examples that tell how large one is

LEAST_SHARE = 0.05  # of a time limit, for scores, where training has used it up

Parts = tuple[Part, Part]


class Fitted(Protocol):
    """An estimator that was just fitted, as far as its score asks for it."""

    notes_: list[str]
    outcome_: Outcome

    def seconds_left(self) -> float | None:
        """Return what is left of the time limit; None without one."""

    def evaluate_within(self, X: Any, y: Any, *, training: Any, seconds: float | None) -> ScoreTable:
        """Return the metrics of (X, y), found in so many seconds."""


def score_in_time(estimator: Fitted, training: Parts, held_out: Parts) -> ScoreTable:
    """Return the metrics of a held-out part beside baselines, which learn from the training part.

    Args:
        estimator: just fitted.
        training: what it learned from.
        held_out: what its best weights were chosen by.
    """
    seconds = seconds_left(estimator)
    return estimator.evaluate_within(*held_out, training=_in_time(estimator, training), seconds=seconds)


def _in_time(estimator: Fitted, training: Parts) -> Parts | None:
    """Return as many training examples as baselines can learn from in time and in memory; None for none."""
    left, count = estimator.seconds_left(), len(training[0])
    most = count if left is None else min(count, int(left * A_SECOND))
    if most < FEWEST and most < count:
        estimator.notes_.append("the baselines that learn were left out, for the time limit")
        return None
    held = max(FEWEST, FORMS * most_in_memory() // _mean_size(training[0]))
    if min(most, held) >= count:
        return training
    why = "the time limit" if most < held else "memory"
    most = min(most, held)
    estimator.notes_.append(f"the baselines learned from {most:,} of {count:,} training examples, for {why}")
    drawn = np.sort(np.random.default_rng(0).permutation(count)[:most])
    return training[0].take(drawn), training[1].take(drawn)


def _mean_size(X: Part) -> int:
    """Return about how many bytes an example takes, by a few of them."""
    places = np.unique(np.linspace(0, len(X) - 1, LOOKED_AT).astype(np.int64))
    return max(1, sum(size_of(X[int(place)]) for place in places) // len(places))


def seconds_left(estimator: Fitted) -> float | None:
    """Return what training has left of the time limit, or a little; None where there is no limit."""
    left = estimator.seconds_left()
    settings: Any = checked(estimator)
    limit: float | None = settings.time_limit
    if left is not None or limit is None:
        return left
    return max(limit - float(estimator.outcome_.position.seconds), LEAST_SHARE * limit)
