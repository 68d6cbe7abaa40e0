"""Shrinkage: how much of a model's deviations from the mean examples speak for that it did not learn from.

The best of many passes by a few held-out examples is often the best by chance, and what it says is noise around the
mean. So predictions are drawn to the mean by the positive-part rule of James and Stein (1961; Efron and Morris, 1973):
the less, the more certain it is that held-out targets go with them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]

FEWEST = 3  # held-out examples that say anything
ENOUGH = 240  # held-out examples that have chosen well: a tenth of 2,400, from which on all defaults are the usual ones
BELIEVED = 0.5  # the share of a linear model's deviations that is kept where examples say nothing
DOUBT = 0.25  # the deviation of that belief
CHANCE = 4.0  # of two standard errors, squared: what the best of many passes has by chance


def kept_shares(given: Table, true: Table, enough: int = ENOUGH) -> Table:
    """Return the share of each output's deviation from the training part's mean to keep, [K] from 0 to 1.

    With b the slope of the true numbers over the given ones, through the mean, and s its standard error, this is
    b (1 - 4 s² / b²), at least 0 and at most 1: nothing within two standard errors of 0, nearly all of a good fit.
    With fewer than 3 held-out examples, or 240 and more, it is 1.

    Args:
        given: [N, K], what the network says of held-out examples, less the mean.
        true: [N, K], what is true, less the mean.
        enough: examples from which on all is kept.
    """
    if not FEWEST <= len(given) < enough:
        return np.ones(given.shape[1])
    slope, error = _slopes(given, true)
    rising = slope > 0
    shares = np.where(rising, slope - CHANCE * error / np.where(rising, slope, 1.0), 0.0)
    return np.clip(shares, 0.0, 1.0)


def believed_shares(given: Table, true: Table) -> Table:
    """Return the share of each output's deviation from the mean to keep where nothing was chosen by the examples, [K].

    A model that was fitted once, and judged by examples that it left out, is not the best of many by chance, so it may
    be believed in a little: with the slope b and its standard error s as above, and a slope of 0.5 with a deviation of
    0.25 believed in before, this is the mean of the slope afterwards, (b / s² + 0.5 / 0.25²) / (1 / s² + 1 / 0.25²),
    from 0 to 1.

    Args:
        given: [N, K], what the model says of examples that it left out, less the mean.
        true: [N, K], what is true, less the mean.
    """
    if len(given) < FEWEST:
        return np.full(given.shape[1], BELIEVED)
    slope, error = _slopes(given, true)
    before = error / DOUBT**2  # how much the belief weighs beside the examples
    return np.clip((slope + BELIEVED * before) / (1.0 + before), 0.0, 1.0)


def _slopes(given: Table, true: Table) -> tuple[Table, Table]:
    """Return the slope of the true numbers over the given ones, through the mean, and its variance, [K] each."""
    squares = (given**2).sum(0)
    squares = np.where(squares < np.finfo(np.float64).tiny, 1.0, squares)  # what is always the mean has a slope of 0
    slope = (given * true).sum(0) / squares
    return slope, ((true - slope * given) ** 2).sum(0) / (len(given) - 1) / squares
