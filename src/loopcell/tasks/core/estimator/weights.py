"""Weights of examples: `sample_weight`, as scikit-learn has it.

A loss is then the weighted mean. Weights are made such that their mean over all predictions of a part is 1, so that an
update's loss is its weighted sum divided by the number of its predictions, as ever: over a pass that is the weighted
mean, and no batch counts more for having light examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loopcell.data.examples import as_doubles
from loopcell.errors import DataError
from loopcell.tasks.core.estimator.parts import Part, as_pair

Weights = npt.NDArray[np.float64]


def as_weights(given: Any, count: int) -> Weights:
    """Return the weights of `count` examples, float64 [N].

    Raises:
        DataError: they are not a number of at least 0 for each example, or all of them are 0; the sentence says where.
    """
    found = as_doubles(list(given) if type(given).__module__.startswith("pandas") else given, "sample_weight")
    if found.ndim != 1:
        raise DataError(f"Sample weights must be 1D, a number for each example; got the shape {list(found.shape)}")
    if len(found) != count:
        raise DataError(f"sample_weight has {len(found)} numbers, and X has {count} examples")
    wrong = np.flatnonzero(~((found >= 0) & np.isfinite(found)))
    if len(wrong):
        at = int(wrong[0])
        raise DataError(f"sample_weight[{at}] is {found[at]:g}; a weight is a finite number of at least 0")
    if not found.any():
        raise DataError("sample_weight is zero for every example: there is nothing left")
    return found


def weighted(X: Any, y: Any, given: Any) -> tuple[Part, Part]:
    """Return the examples that count, with their weights; without weights where all count alike.

    An example of weight 0 is left out, as if it had never been given: what is learned beside weights, such as labels
    and scales, does not see it either. Errors as `as_pair` and `as_weights`.
    """
    inputs, targets = as_pair(X, y)
    weights = as_weights(given, len(inputs))
    there = np.flatnonzero(weights)
    inputs, targets, weights = inputs.take(there), targets.take(there), weights[there]
    if (weights != weights[0]).any():
        targets.weights = weights
    return inputs, targets


def with_mean_one(weights: Weights, predictions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return weights on the scale on which their mean over all predictions is 1.

    Args:
        weights: of the examples, [N].
        predictions: how many each of them has, [N].
    """
    shares = weights / weights.max()
    mean = (shares * predictions).sum() / max(1, predictions.sum())
    found: npt.NDArray[np.float32] = (shares / mean if mean else shares).astype(np.float32)
    return found


def weigh(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Return the sum of losses [B, ...], each row by its weight [B] where there are weights."""
    if weights is None:
        return losses.sum()
    return (losses * weights.to(losses).reshape(-1, *[1] * (losses.ndim - 1))).sum()
