"""Arguments of estimators that are about few examples. No torch here: flags are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from loopcell.tasks.core.argument_types import Augmentations, AutoStride
from loopcell.tasks.core.pace import AUTO


@dataclass(kw_only=True, repr=False, eq=False)
class SmallDataSettings:
    """Arguments that get more out of few sequences.

    Args:
        ensemble: k networks in one model: each learns without one of k folds of the examples and has its best weights
            chosen by that fold, and their answers are averaged. The held-out score is that of every example by the
            network that did not see it. It takes k times the time and the memory; 1 for one network and
            `validation_fraction`.
        augment: what is changed at random in each training batch of numbers, with a strength each where it is not the
            usual one: jitter=0.03 (noise of so many deviations), scale=0.1 (each column times a number around 1),
            crop=0.9 (a segment of at least this share of a sequence), warp=0.2 (time runs faster here and slower
            there).
    """

    ensemble: Annotated[int, Field(ge=1, le=100)] = 1
    augment: Augmentations = ()


@dataclass(kw_only=True, repr=False, eq=False)
class PooledSettings:
    """Arguments of estimators that say one thing of a whole sequence.

    Args:
        downsample: how many steps convolutions take in at once, before the recurrent layers read what they found: a
            power of two, or 1 for no convolutions. "auto": 1; of fewer than 2,400 sequences of numbers that are longer
            than 128 steps, what leaves half of them 128.
        summaries: bring the answers together with those of a linear model of summaries (mean, deviation, least,
            largest, first and last value of each column, and the length), as far as held-out examples speak for it;
            not with a loss of your own or several labels an example. None: for fewer than 2,400 sequences of
            numbers.
    """

    downsample: AutoStride = AUTO
    summaries: bool | None = None
