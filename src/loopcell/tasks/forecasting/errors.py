"""The distance of an error from the usual ones, where these spread in every direction as they do.

Malhotra, Vig, Shroff, Agarwal: Long Short Term Memory Networks for Anomaly Detection in Time Series, 2015, with the
Mahalanobis distance in place of a density: the order is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Floats = npt.NDArray[np.float64]

LEAST = 1e-9  # of the largest spread: a direction in which errors never differ is not divided by nothing
NOISE = 1e-6  # the spread of an error that never differs, on the scale of a series: what float32 can tell


class UsualErrors(nn.Module):
    """Mean and spread of the errors [N, D] of a quiet period, and the threshold.

    Args:
        size: D.

    Attributes:
        mean: [D]; whiten: [D, D], with whiten' whiten the inverse of the covariance.
        threshold: scalar, above which a distance is an alarm.
    """

    mean: Tensor
    whiten: Tensor
    threshold: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("whiten", torch.eye(size))
        self.register_buffer("threshold", torch.ones(()))

    def learn(self, parts: Sequence[Floats], alarms: float, floor: Floats | None = None, smooth: int = 1) -> None:
        """Learn what is usual; a share of `alarms` of the distances will lie above the threshold, of few errors none.

        The covariance is shrunk as Ledoit and Wolf (2004) do, so that few errors of many numbers have one.

        Args:
            parts: errors [N, D] of consecutive steps, of each series; NaN where a value is missing: the covariance is
                that of errors in whose place the mean stands, on the scale of those that are there.
            alarms: the share.
            floor: [D], the least spread of each number, which is that of rounding; None for `NOISE`.
            smooth: steps over which distances are averaged.
        """
        errors = np.concatenate(parts)
        there = np.isfinite(errors)
        share = np.maximum(there.sum(0), 1) / len(errors)
        mean = np.where(there, errors, 0.0).mean(0) / share
        least = np.full(len(mean), NOISE) if floor is None else floor
        apart = np.where(there, errors - mean, 0.0) / np.sqrt(share)
        still = (errors.std(0) if there.all() else np.sqrt((apart**2).mean(0))) <= least
        self.mean.copy_(torch.from_numpy(mean))
        self.whiten.copy_(torch.from_numpy(np.linalg.inv(np.linalg.cholesky(_spread(apart, still, least)))))
        distances = np.concatenate([smoothed(self.distance(part), smooth) for part in parts])
        distances = distances[np.isfinite(distances)]
        found = np.sort(distances)[::-1][int(alarms * len(distances))]
        if still.all():  # then half a step of the data's resolution in one of the numbers is an alarm
            found = max(found, 0.5 / np.sqrt(len(mean)))
        self.threshold.fill_(float(np.nextafter(np.float32(found), np.float32(np.inf))))  # rounded, it is not less

    def distance(self, errors: Floats) -> Floats:
        """Return the distance of errors [N, D] from the usual, [N]: 1 is to be expected.

        Of an error that is missing, NaN, nothing is known, and the others' distance is theirs alone; without any it is
        NaN.
        """
        mean, whiten = (part.double().cpu().numpy() for part in (self.mean, self.whiten))
        there = ~np.isnan(errors)
        if there.all():
            found: Floats = np.sqrt((((errors - mean) @ whiten.T) ** 2).mean(-1))
            return found
        found = np.full(len(errors), np.nan)
        patterns, which = np.unique(there, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = which.ravel() == number
            if pattern.any():
                own = whiten if pattern.all() else _whiten_some(whiten, pattern)
                found[rows] = np.sqrt((((errors[rows] - mean)[:, pattern] @ own.T) ** 2).mean(-1))
        return found


def smoothed(scores: Floats, steps: int) -> Floats:
    """Return the mean of scores [T] over so many steps around each, of those that there are; NaN stays NaN."""
    if steps == 1:
        return scores
    there = np.isfinite(scores)
    sums, counts = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.where(there, scores, 0.0), there))
    at = np.arange(len(scores))
    first, end = np.maximum(at - (steps - 1) // 2, 0), np.minimum(at + steps // 2 + 1, len(scores))
    return np.where(there, (sums[end] - sums[first]) / np.maximum(counts[end] - counts[first], 1), scores)


def _whiten_some(whiten: Floats, pattern: npt.NDArray[np.bool_]) -> Floats:
    """Return what whitens some of the errors alone."""
    root = np.linalg.inv(whiten)
    covariance = root @ root.T
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance[np.ix_(pattern, pattern)])))


def _spread(errors: Floats, still: npt.NDArray[np.bool_], least: Floats) -> Floats:
    """Return the covariance of errors [N, D] without their mean; of those that stand still their least spread."""
    from sklearn.covariance import ledoit_wolf

    found = np.diag(np.where(still, least**2, 0.0))
    if not still.all():
        covariance, _ = ledoit_wolf(errors[:, ~still], assume_centered=True)
        covariance = covariance + LEAST * np.trace(covariance) * np.eye(len(covariance))
        found[np.ix_(~still, ~still)] = covariance
    return found


def resolution(values: Floats) -> Floats:
    """Return the smallest difference between two values of each column [T, K]; 0 for a column that never changes."""
    found = np.zeros(values.shape[1])
    for column in range(values.shape[1]):
        there = values[:, column][np.isfinite(values[:, column])]
        steps = np.diff(np.unique(there))
        found[column] = steps.min() if len(steps) else 0.0
    return found
