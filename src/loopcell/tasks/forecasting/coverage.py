"""Coverage: quantiles that follow what came, so that the right share of the values lies between or below them.

Two quantiles as far from one half, of levels a and 1 - a, are an interval. When a value x comes, each of the f
forecasts of it that were made before is looked at, with its interval as it was given then, and intervals are widened
or narrowed on both sides for the forecasts after it, by a share r of the width w between the outer quantiles:

    v <- v + r w ([x outside of the interval] - 2 a)

On average an interval is left alone exactly when a share 1 - 2 a of the values lies in it, however the series changes:
of intervals that were given, so that it holds for far steps too, whose outcomes are late. This is the quantile tracker
of Angelopoulos, Candes, Tibshirani: Conformal PID Control for Time Series Prediction, 2023 (arXiv 2307.16895), on the
score of Romano, Patterson, Candes: Conformalized Quantile Regression, 2019 (arXiv 1905.03222), max(q_a - x, x -
q_{1-a}); one score for both ends holds with half the noise of one for each. A level without its partner is moved on
its own, by r w (a - [x <= q]); the median stays where the held-out part put it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST_TO_WIDEN = 5  # places in the held-out part
LEAST_TO_NARROW = 10  # places whose futures do not overlap
SAME = 1e-9  # of two levels


class Tracked(NamedTuple):
    """The values that are kept between two steps.

    Attributes:
        shift: [f, K, Q], what quantiles are moved by.
        open: [f, f, K, Q], the quantiles that the last f places were given, newest first; NaN where there was none.
    """

    shift: Floats
    open: Floats


class Sides(NamedTuple):
    """Intervals among the levels, and levels on their own.

    Attributes:
        pairs: the numbers of two levels that are an interval, and the share that is to lie in it.
        alone: the numbers of those that are neither in a pair nor one half.
    """

    pairs: tuple[tuple[int, int, float], ...]
    alone: tuple[int, ...]


@cache
def sides_of(levels: tuple[float, ...]) -> Sides:
    """Return which of some rising levels are intervals."""
    pairs = [
        (low, high, levels[high] - levels[low])
        for low in range(len(levels))
        for high in range(low + 1, len(levels))
        if abs(levels[low] + levels[high] - 1) < SAME
    ]
    taken = {side for pair in pairs for side in pair[:2]}
    alone = [at for at, level in enumerate(levels) if at not in taken and abs(level - 0.5) > SAME]
    return Sides(tuple(pairs), tuple(alone))


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
        came: [N, K], the value just before each place; NaN where nothing is to be learned of it.
        levels: Q levels.
        rate: r.

    Returns:
        The quantiles moved, rising in Q, and what is to be kept.
    """
    shift, waiting = before.shift.copy(), before.open.copy()
    ahead, sides = np.arange(len(shift)), sides_of(levels)
    moved = np.empty_like(quantiles)
    for number, (said, value) in enumerate(zip(quantiles, came, strict=True)):
        old = waiting[ahead, ahead]  # [f, K, Q]: of the place j + 1 steps back its step j, which is the value that came
        step = rate * (said[..., -1:] - said[..., :1]) * _misses(old, value, levels, sides)
        shift += np.where(np.isfinite(old) & np.isfinite(step), step, 0.0)
        moved[number] = np.sort(said + shift, -1)
        waiting = np.concatenate([moved[number][None], waiting[:-1]])
    return moved, Tracked(shift, waiting)


def _misses(quantiles: Floats, value: Floats, levels: tuple[float, ...], sides: Sides) -> Floats:
    """Return to which side and how far, in widths and at a rate of 1, quantiles [f, K, Q] are to move for a value [K].

    NaN where the value is missing.
    """
    found = np.zeros_like(quantiles)
    for low, high, share in sides.pairs:
        outside = (value < quantiles[..., low]) | (value > quantiles[..., high])
        found[..., high] = outside - (1 - share)
        found[..., low] = -found[..., high]
    for at in sides.alone:
        found[..., at] = levels[at] - (value <= quantiles[..., at])
    return np.where(np.isfinite(value)[:, None], found, np.nan)


def moved_to_cover(errors: Floats, still: Flags, levels: Sequence[float]) -> Floats:
    """Return what to add to quantiles [f, K, Q] so that the right share of the held-out part lies between or below.

    An interval is widened by the quantile of its scores at (1 + 1/n) times its share, in place of the share, as n
    scores ask for (Romano et al., 2019, eq. 8). Forecasts of j steps from neighbouring places have most of their steps
    in common: of N places n is N / j. Where that is small an interval is not narrowed, since the held-out part has
    chosen the weights as well, and is easier than what comes.

    Args:
        errors: [N, f, K, Q], what came less the quantiles of it; NaN where it is missing.
        still: [N, K], which columns are forecast to stay there: their quantiles are not the network's.
        levels: Q levels.
    """
    found, sides = np.zeros(errors.shape[1:]), sides_of(tuple(levels))
    apart = sorted({*range(len(levels))} - {side for pair in sides.pairs for side in pair[:2]})
    for step, column in np.ndindex(*found.shape[:2]):
        there = errors[~still[:, column], step, column]
        there = there[np.isfinite(there).all(-1)]
        count = len(there) / (step + 1)
        for low, high, share in sides.pairs if len(there) >= LEAST_TO_WIDEN else ():
            found[step, column, high] = _widened(np.maximum(-there[:, low], there[:, high]), share, count)
            found[step, column, low] = -found[step, column, high]
        for at in apart if count >= LEAST_TO_NARROW else ():
            found[step, column, at] = np.quantile(there[:, at], levels[at])
    return found


def _widened(scores: Floats, share: float, count: float) -> float:
    """Return by how much an interval is widened on both sides: scores [N] that stand for `count` independent ones."""
    by = float(np.quantile(scores, min(1.0, share * (1 + 1 / max(count, 1.0)))))
    return by if count >= LEAST_TO_NARROW else max(by, 0.0)
