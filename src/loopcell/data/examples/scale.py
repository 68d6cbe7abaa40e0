"""Scales: what is taken off numbers before a network reads them, and by what they are divided.

All of it is done in float64, and the result alone is rounded to float32: of numbers around a thousand million, float32
tells only those apart that differ by 64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

ROWS_AT_ONCE = 1 << 13
STILL = 4 * float(
    np.finfo(np.float64).eps
)  # columns that vary by a smaller share of their own size do not: it is rounding


class Scale(NamedTuple):
    """The scale of some columns.

    Attributes:
        mean: [K], taken off first.
        size: [K], divided by.
    """

    mean: Floats
    size: Floats

    def apply(self, values: npt.ArrayLike) -> Floats:
        """Scale [..., K]."""
        found: Floats = (np.asarray(values, np.float64) - self.mean) / self.size
        return found

    def undo(self, values: npt.ArrayLike) -> Floats:
        """Give the numbers back of which `apply` made these, [..., K]."""
        found: Floats = np.asarray(values, np.float64) * self.size + self.mean
        return found

    def where(self, columns: npt.NDArray[np.bool_], other: Scale) -> Scale:
        """Take this scale for the columns [K] that are named, and another one for the rest."""
        return Scale(np.where(columns, self.mean, other.mean), np.where(columns, self.size, other.size))

    def read(self, values: npt.ArrayLike, name: str) -> Floats32:
        """Scale what a network is to read, float32 [T, K].

        Raises:
            DataError: a number is so far from those that the scale was learned from that float32 does not reach it.
        """
        with np.errstate(over="ignore"):
            found = self.apply(values).astype(np.float32)
        if np.isfinite(found).all():
            return found
        far = np.argwhere(~np.isfinite(found) & np.isfinite(np.asarray(values, np.float64)))
        if len(far):
            step, column = (int(place) for place in far[0])
            value, mean, size = np.asarray(values, np.float64)[step, column], self.mean[column], self.size[column]
            raise DataError(
                f"{name} has {value:g} at step {step + 1}, too far from the training data (mean {mean:g}, deviation "
                f"{size:g}) to be read"
            )
        return found


class Moments:
    """Mean and deviation of K columns that come in pieces, in double precision; what is missing (NaN) does not count.

    What is summed are distances from the first value, in units of the largest of them: so neither a mean far from zero
    nor very large or small numbers take digits away. Pieces are merged as in Chan, Golub, LeVeque: Updating formulae
    and a pairwise algorithm for computing sample variances, 1979, eq. 2.1.

    Args:
        columns: K.

    Attributes:
        rows: how many rows came.
        counts: how many values of each column are there, [K].
    """

    def __init__(self, columns: int) -> None:
        self.rows, self.counts = 0, np.zeros(columns)
        self._first = self._unit = self._mean = self._squares = np.zeros(columns)
        self._low, self._high = np.full(columns, np.inf), np.full(columns, -np.inf)

    def add(self, steps: Floats) -> None:
        """Take in some rows [T, K]."""
        if not len(steps):
            return
        there = ~np.isnan(steps)
        first = steps[there.argmax(0), np.arange(steps.shape[1])]  # NaN where the whole column is
        self._first = np.where(self.counts > 0, self._first, np.where(np.isnan(first), 0.0, first))
        self._low, self._high = np.fmin(self._low, np.fmin.reduce(steps)), np.fmax(self._high, np.fmax.reduce(steps))
        distances = np.where(there, steps - self._first, 0.0)
        self._grow(np.abs(distances).max(0))
        self._merge(distances / self._units(), there)
        self.rows += len(steps)

    def _merge(self, distances: Floats, there: npt.NDArray[np.bool_]) -> None:
        own_count = there.sum(0)
        total = self.counts + own_count
        some, all_ = np.maximum(own_count, 1), np.maximum(total, 1)  # a column without a value has a mean of 0
        own = distances.sum(0) / some
        between = np.where(own_count > 0, own - self._mean, 0.0)
        self._mean = self._mean + between * (own_count / all_)
        apart = between**2 * (self.counts * own_count / all_)
        self._squares = self._squares + (np.where(there, distances - own, 0.0) ** 2).sum(0) + apart
        self.counts = total

    def scale(self) -> Scale:
        """Return the means and deviations (of the population); 1 where a column never changes, or has no value.

        Raises:
            DataError: there was not one row.
        """
        if not self.rows:
            raise DataError("there is not one step to learn a scale from")
        deviation = np.sqrt(self._squares / np.maximum(self.counts, 1)) * self._units()
        still = within_rounding(self._low, self._high) | (self.counts == 0)
        return Scale(self._first + self._mean * self._units(), np.where(still, 1.0, deviation))

    def _grow(self, largest: Floats) -> None:
        """Let the units be as large as the largest distance: powers of two, so that nothing is rounded."""
        _, exponent = np.frexp(largest)
        unit = np.maximum(self._unit, np.where(largest > 0, np.ldexp(1.0, exponent - 1), 0.0))
        smaller = np.where(unit > 0, self._unit / np.where(unit > 0, unit, 1.0), 1.0)
        self._mean, self._squares, self._unit = self._mean * smaller, self._squares * smaller**2, unit

    def _units(self) -> Floats:
        return np.where(self._unit > 0, self._unit, 1.0)


def within_rounding(low: Floats, high: Floats) -> npt.NDArray[np.bool_]:
    """Return whether numbers between these bounds [...] are one number, but for rounding: then they have no scale."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinitely wide is not narrow
        return np.asarray(high - low <= STILL * np.maximum(np.abs(low), np.abs(high)))


def scale_of(pieces: Iterable[Floats], columns: int) -> Scale:
    """Return the scale of rows [T, K] that come in pieces, missing values (NaN) left out; errors as `Moments.scale`."""
    return moments_of(pieces, columns).scale()


def moments_of(pieces: Iterable[Floats], columns: int) -> Moments:
    """Return the moments of rows [T, K] that come in pieces."""
    moments, waiting, count = Moments(columns), [np.empty((0, columns))], 0
    for steps in pieces:
        waiting.append(steps)
        count += len(steps)
        if count >= ROWS_AT_ONCE:  # one by one, many short ones would take long
            moments.add(np.concatenate(waiting))
            waiting, count = [], 0
    moments.add(np.concatenate(waiting) if waiting else np.empty((0, columns)))
    return moments
