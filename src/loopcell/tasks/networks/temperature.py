"""Calibration: one number by which scores are divided, so that probabilities are as high as they come true.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599), section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

# Beyond these the held-out part says too little: with every answer right the best temperature is 0.
LEAST, MOST = 0.5, 10.0
ROUNDS = 40
GOLDEN = (math.sqrt(5) - 1) / 2


def fitted_temperature(scores: Tensor, loss: Callable[[Tensor], Tensor]) -> float:
    """The temperature that makes the loss of held-out examples smallest.

    A negative log-likelihood is convex in what the scores are multiplied by, so golden-section search finds it.

    Args:
        scores: of held-out examples, of any shape.
        loss: their loss, given scores that were divided.
    """
    if not scores.numel():
        return 1.0
    exact = scores.double()
    low, high = 1 / MOST, 1 / LEAST
    for _ in range(ROUNDS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if float(loss(exact * left)) < float(loss(exact * right)):
            high = right
        else:
            low = left
    return 2 / (low + high)
