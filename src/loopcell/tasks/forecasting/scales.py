"""Scales: by what the numbers of each series are divided, and what is taken off before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STILL = 1e-12  # a deviation below this share of the mean is rounding, of a series that never changes


class Scale(NamedTuple):
    """Of some columns.

    Attributes:
        mean: [K], taken off first.
        size: [K], divided by.
    """

    mean: Floats
    size: Floats

    def apply(self, values: Floats) -> Floats:
        """Scale [..., K]."""
        return (values - self.mean) / self.size

    def undo(self, values: Floats) -> Floats:
        """The inverse of `apply`, [..., K]."""
        return values * self.size + self.mean


def scale_of(values: Floats, *, counts: bool = False) -> Scale:
    """Mean and deviation of values [T, K]; of counts 0 and the mean. Rounded to float32, as models keep them."""
    mean = values.mean(0)
    size = np.abs(mean) if counts else values.std(0)
    still = size <= STILL * np.maximum(1, np.abs(mean))
    mean = np.zeros_like(mean) if counts else mean
    return rounded(Scale(mean, np.where(still, 1.0, size)))


def rounded(scale: Scale) -> Scale:
    """The same in float32's numbers, kept as float64: what is scaled is scaled back by the very same numbers."""
    return Scale(*(part.astype(np.float32).astype(np.float64) for part in scale))
