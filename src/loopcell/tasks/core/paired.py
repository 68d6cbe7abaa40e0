"""Two models on the same examples: how far apart their mean losses may be by chance.

Both answer the same examples, so what counts is the difference on each of them, which varies less than either loss
(Dietterich: Approximate Statistical Tests for Comparing Supervised Classification Learning Algorithms, 1998). Steps of
one sequence, and forecasts of the same days, are alike: they are one group, and groups are what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

FEWEST = 5  # groups whose spread says anything


def standard_error(
    own: npt.NDArray[np.generic], other: npt.NDArray[np.generic], groups: npt.NDArray[np.int64] | None = None
) -> float:
    """Return the standard error of the difference of two means of the same values; NaN where there are too few groups.

    With the sums d of the differences in each of G groups, the sizes n and the mean difference m it is
    sqrt(G / (G - 1) sum (d - m n)^2) / sum n: that of a ratio of sums (Cochran: Sampling Techniques, 1977, 6.4).

    Args:
        own: a loss, or whether the answer is right, [V]; NaN where it is not known.
        other: the same of the other model, [V].
        groups: from 0, the group of each value, [V]; None where each is its own.
    """
    difference = np.asarray(own, np.float64) - np.asarray(other, np.float64)
    known = ~np.isnan(difference)
    difference, numbers = difference[known], np.arange(len(known))[known] if groups is None else groups[known]
    which = np.unique(numbers, return_inverse=True)[1]
    count = int(which.max(initial=-1)) + 1
    if count < FEWEST:
        return float("nan")
    sums, sizes = np.bincount(which, difference), np.bincount(which)
    rest = sums - difference.mean() * sizes
    return float(np.sqrt(count / (count - 1) * (rest**2).sum()) / sizes.sum())


def noise_of(
    metric: str,
    losses: Mapping[str, npt.NDArray[np.generic]],
    groups: npt.NDArray[np.int64] | None = None,
) -> dict[str, dict[str, float]]:
    """Return the standard error of each baseline's difference to the model, by baseline and metric, where it is known.

    Args:
        metric: the mean of these losses.
        losses: by name, the model's first, [V] each.
        groups: as in `standard_error`.
    """
    (_, own), *others = losses.items()
    found = {name: standard_error(own, other, groups) for name, other in others}
    return {name: {metric: one} for name, one in found.items() if not np.isnan(one)}
