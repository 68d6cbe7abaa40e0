"""A test for few held-out examples: can what a classifier learned be told from chance?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from loopcell.tasks.sequences.shrinkage import ENOUGH, FEWEST

CHANCE = 0.005  # how seldom one pass has the gain by chance; the best of many has it far more often


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
