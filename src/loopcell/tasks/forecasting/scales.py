"""Scales: by what the numbers of each series are divided, and what is taken off before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.examples import Scale, scale_of as scale_of_pieces
from loopcell.tasks.forecasting.still import never_varied

Floats = npt.NDArray[np.float64]


def scale_of(values: Floats, *, counts: bool = False) -> Scale:
    """Return the mean and deviation of values [T, K] that are there; of counts 0 and the mean."""
    if not counts:
        return scale_of_pieces([values], values.shape[1])
    mean = scale_of_pieces([values], values.shape[1]).mean
    return Scale(np.zeros_like(mean), np.where(mean > 0, mean, 1.0))


def learned_scales(series: Sequence[Series], cuts: Sequence[int], *, counts: bool) -> Scale:
    """Return the scales of the training part: of each series' targets, [S, K]."""
    columns = len(series[0].target_names)
    nothing = Scale(np.zeros(columns), np.ones(columns))
    pairs = list(zip(series, cuts, strict=True))
    rows = [_target_scale(one, cut, counts=counts) if cut else nothing for one, cut in pairs]
    return Scale(*(np.stack(part) for part in zip(*rows, strict=True)))


def _target_scale(series: Series, cut: int, *, counts: bool) -> Scale:
    """Return the scale of the training part; of a column that varies in the held-out part only, that of both."""
    found = scale_of(series.target[:cut], counts=counts)
    still = never_varied(series.target[:cut])[-1]
    if not still.any():
        return found
    both = scale_of(series.target[: series.steps], counts=counts)
    return found.where(~still, both)
