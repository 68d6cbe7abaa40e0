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
            parts: errors [N, D] of consecutive steps, of each series.
            alarms: the share.
            floor: [D], the least spread of each number, which is that of rounding; None for `NOISE`.
            smooth: steps over which distances are averaged.
        """
        errors = np.concatenate(parts)
        mean = errors.mean(0)
        least = np.full(len(mean), NOISE) if floor is None else floor
        still = errors.std(0) <= least
        self.mean.copy_(torch.from_numpy(mean))
        self.whiten.copy_(torch.from_numpy(np.linalg.inv(np.linalg.cholesky(_spread(errors - mean, still, least)))))
        distances = np.concatenate([smoothed(self.distance(part), smooth) for part in parts])
        found = np.sort(distances)[::-1][int(alarms * len(errors))]
        if still.all():  # then half a step of the data's resolution in one of the numbers is an alarm
            found = max(found, 0.5 / np.sqrt(len(mean)))
        self.threshold.fill_(float(np.nextafter(np.float32(found), np.float32(np.inf))))  # rounded, it is not less

    def distance(self, errors: Floats) -> Floats:
        """Return the distance of errors [N, D] from the usual, [N]: 1 is to be expected."""
        mean, whiten = (part.double().cpu().numpy() for part in (self.mean, self.whiten))
        found: Floats = np.sqrt((((errors - mean) @ whiten.T) ** 2).mean(-1))
        return found


def smoothed(scores: Floats, steps: int) -> Floats:
    """Return the mean of scores [T] over so many steps around each; at both ends over those that there are."""
    sums = np.concatenate([[0.0], np.cumsum(scores)])
    at = np.arange(len(scores))
    first, end = np.maximum(at - (steps - 1) // 2, 0), np.minimum(at + steps // 2 + 1, len(scores))
    found: Floats = scores if steps == 1 else (sums[end] - sums[first]) / (end - first)
    return found


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
        steps = np.diff(np.unique(values[:, column]))
        found[column] = steps.min() if len(steps) else 0.0
    return found
