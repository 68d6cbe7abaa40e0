"""Coverage: quantiles that follow what came, so that the right share of the values lies below each.

When a value x comes, each of the f forecasts of it that were made before is looked at, and its quantile q of level a is
moved for the forecasts after it, by a share r of the width w between the outer quantiles:

    shift <- shift + r w (a - [x <= q + shift])

On average a quantile is left alone exactly when a share a of the values lies below it. This is the quantile tracker of
Angelopoulos, Candes, Tibshirani: Conformal PID Control for Time Series Prediction, 2023 (arXiv 2307.16895).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST_TO_CALIBRATE = 100  # places in the held-out part


class Tracked(NamedTuple):
    """The values that are kept between two steps.

    Attributes:
        shift: [f, K, Q], what quantiles are moved by.
        open: [f, f, K, Q], the quantiles of the last f places before they are moved, newest first; NaN where there was
            none.
    """

    shift: Floats
    open: Floats


def kept_inside(mean: Floats, quantiles: Floats, levels: tuple[float, ...]) -> Floats:
    """Move the mean [..., K] to the nearer end of the interval of quantiles [..., K, Q] where it lies outside.

    The mean is learned on its own, and only the quantiles are corrected by what came: where the two disagree, the
    quantiles are right. Levels on one side of one half make no interval that has to hold the mean.
    """
    if not levels or not levels[0] < 0.5 < levels[-1]:
        return mean
    return np.clip(mean, quantiles[..., 0], quantiles[..., -1])


def tracked(shift: Floats) -> Tracked:
    """Start from a shift [f, K, Q], with nothing followed yet."""
    return Tracked(shift, np.full((len(shift), *shift.shape), np.nan))


def follow(
    before: Tracked, quantiles: Floats, came: Floats, levels: tuple[float, ...], rate: float
) -> tuple[Floats, Tracked]:
    """Move the quantiles of neighbouring places, each by what was known there.

    Args:
        before: what was kept.
        quantiles: [N, f, K, Q] as the network gives them.
        came: [N, K], the value just before each place; NaN where it is missing: then nothing is moved.
        levels: Q levels.
        rate: r.

    Returns:
        The quantiles moved, rising in Q, and what is to be kept.
    """
    shift, waiting = before.shift.copy(), before.open.copy()
    ahead = np.arange(len(shift))
    moved, level = np.empty_like(quantiles), np.array(levels)
    for number, (said, value) in enumerate(zip(quantiles, came, strict=True)):
        old = waiting[ahead, ahead]  # [f, K, Q]: of the place j + 1 steps back its step j, which is the value that came
        width = rate * (old[..., -1:] - old[..., :1])
        step = width * (level - (value[:, None] <= old + shift))
        shift += np.where(np.isfinite(old) & np.isfinite(value)[:, None], step, 0.0)
        moved[number] = said + shift
        waiting = np.concatenate([said[None], waiting[:-1]])
    return np.sort(moved, -1), Tracked(shift, waiting)


def moved_to_cover(errors: Floats, still: Flags, levels: Sequence[float]) -> Floats:
    """Return what to add to quantiles [f, K, Q] so that the right share of the held-out part lies below each.

    Romano, Patterson, Candes: Conformalized Quantile Regression, 2019 (arXiv 1905.03222), each level on its own.

    Args:
        errors: [N, f, K, Q], what came less the quantiles of it; NaN where it is missing.
        still: [N, K], which columns are forecast to stay there: their quantiles are not the network's.
        levels: Q levels.
    """
    found = np.zeros(errors.shape[1:])
    for column in range(errors.shape[2]):
        there = errors[~still[:, column], :, column]
        if len(there) and np.isfinite(there).sum(0).min() >= LEAST_TO_CALIBRATE:
            for at, level in enumerate(levels):
                found[:, column, at] = np.nanquantile(there[..., at], level, axis=0)
    return found
