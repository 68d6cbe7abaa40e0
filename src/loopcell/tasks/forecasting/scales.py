"""Scales: by what the numbers of each series are divided, and what is taken off before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import Scale, scale_of as scale_of_pieces

Floats = npt.NDArray[np.float64]


def scale_of(values: Floats, *, counts: bool = False) -> Scale:
    """Return the mean and deviation of values [T, K]; of counts 0 and the mean."""
    if not counts:
        return scale_of_pieces([values], values.shape[1])
    mean = values.mean(0)
    return Scale(np.zeros_like(mean), np.where(mean > 0, mean, 1.0))
