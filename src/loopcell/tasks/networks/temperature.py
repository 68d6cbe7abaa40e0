"""Calibration: one number by which scores are divided, so that probabilities are as high as they come true.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599), section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable

from scipy.optimize import minimize_scalar
from torch import Tensor

# Beyond these the held-out part says too little: with every answer right the best temperature is 0.
LEAST, MOST = 0.5, 10.0


def fitted_temperature(scores: Tensor, loss: Callable[[Tensor], Tensor]) -> float:
    """The temperature that makes the loss of held-out examples smallest.

    Args:
        scores: of held-out examples, of any shape.
        loss: their loss, given scores that were divided.
    """
    if not scores.numel():
        return 1.0
    exact = scores.double()
    found = minimize_scalar(lambda log: float(loss(exact / 10**log)), bounds=(-0.301, 1.0), method="bounded")
    return float(min(max(10**found.x, LEAST), MOST))
