"""Calibration: one number by which scores are divided, so that probabilities are as high as they come true.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599), section 4.2. The
held-out part has chosen the weights before, so it flatters them, and a small one says little: what it asks for is held
back by a prior towards 1, and has to prove itself on folds that it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Table = npt.NDArray[np.float64]

# Beyond these bounds no held-out part says enough: with every answer right the best temperature is 0.
LEAST, MOST = 0.5, 10.0
ENOUGH = 50  # held-out examples for a temperature other than 1
ENOUGH_TO_SHARPEN = 1000  # held-out examples for one below 1, which makes surer what was all but all right
PRIOR = 5.0  # nats that a temperature of e, or of 1/e, has to gain over all held-out examples
FOLDS = 5
# A geometric grid of steps of 5%, with 1 in it: the loss is flat around its minimum.
TEMPERATURES = np.unique(np.concatenate([np.geomspace(LEAST, 1.0, 15), np.geomspace(1.0, MOST, 48)]))


def fitted_temperature(
    scores: Tensor, losses: Callable[[Tensor], Tensor], example: npt.NDArray[np.int64] | None = None
) -> float:
    """Find the temperature for a network's scores by the losses of held-out examples; 1 where these do not tell.

    It makes the summed loss and the prior smallest. Found anew without each of five folds of the examples, it has to
    lower the loss of each fold that it did not see, or else it is 1.

    Args:
        scores: [N, ...] of held-out examples, or of their steps.
        losses: the loss of each row, [N], given scores that were divided.
        example: int64 [N], which example each row belongs to; None where each row is one of its own.
    """
    numbers = np.arange(len(scores)) if example is None else np.unique(example, return_inverse=True)[1]
    count = int(numbers.max(initial=-1)) + 1
    if count < ENOUGH:
        return 1.0
    allowed = TEMPERATURES if count >= ENOUGH_TO_SHARPEN else TEMPERATURES[TEMPERATURES >= 1.0]
    fold = (np.random.default_rng(0).permutation(count) % FOLDS)[numbers]
    by_fold = _losses(scores.double(), losses, allowed, fold)
    prior = PRIOR * np.log(allowed) ** 2
    if not _holds(by_fold, prior, unchanged=int(np.argmin(np.abs(allowed - 1.0)))):
        return 1.0
    return float(allowed[np.argmin(by_fold.sum(1) + prior)])


def _losses(
    scores: Tensor, losses: Callable[[Tensor], Tensor], temperatures: Table, fold: npt.NDArray[np.int64]
) -> Table:
    """Return the summed loss of each fold at each temperature, [temperatures, folds]."""
    with torch.no_grad():
        rows = (losses(scores / float(one)).double().numpy() for one in temperatures)
        return np.stack([np.bincount(fold, weights=row, minlength=FOLDS) for row in rows])


def _holds(by_fold: Table, prior: Table, *, unchanged: int) -> bool:
    """Return whether temperatures found without a fold do not raise the fold's loss, for every fold.

    Args:
        by_fold: [temperatures, folds].
        prior: [temperatures].
        unchanged: the row of temperature 1.
    """
    others = by_fold.sum(1, keepdims=True) - by_fold
    chosen = np.argmin(others + prior[:, None], axis=0)
    return bool((by_fold[chosen, np.arange(FOLDS)] <= by_fold[unchanged]).all())
