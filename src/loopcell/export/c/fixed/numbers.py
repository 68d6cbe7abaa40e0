"""Numbers in fixed point: whole numbers q that mean q 2^-f, with f, the fraction, known when the C is written.

What is stored (states, what flows between stages, operands of products) has 15 bits and a sign; what is on its way has
23. Rounding is to the nearest, halves upwards, and what would leave its bits is clipped to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.export.c.product import Packed
from loopcell.export.step_model.stages import Floats

Whole: TypeAlias = npt.NDArray[np.int64]

STORED, ON_THE_WAY = 15, 23
"""Bits of a number beside its sign."""
HEADROOM = 1.25
"""By how much the largest number that was seen may be exceeded, at least."""
SPARE = 4
"""The same for numbers on their way, which have bits to spare."""
_LEAST, _MOST = -10, 20  # fractions of stored numbers; of those on their way 8 more
LARGEST = 2.0 ** (STORED - _LEAST) / HEADROOM
UP = 3
"""The most bits by which a result may be shifted up."""


def fraction_for(largest: float, bits: int, headroom: float = HEADROOM) -> int:
    """Return the largest fraction with which numbers up to `largest` have room in so many bits."""
    more = bits - STORED
    if largest <= 0:
        return STORED + more
    wanted = bits - math.ceil(math.log2(largest * headroom * (1 + 2.0**-bits)))
    return max(_LEAST + more, min(_MOST + more, wanted))


def limit(bits: int) -> int:
    """Return the largest number of so many bits; the least one is its negative."""
    return (1 << bits) - 1


def narrow(numbers: npt.ArrayLike, down: int, bits: int) -> Whole:
    """Shift numbers down (up where it is negative), rounded, and clip them to so many bits."""
    wide = np.asarray(numbers, np.int64)
    shifted = (wide + (1 << (down - 1))) >> down if down > 0 else wide << -down
    clipped: Whole = np.clip(shifted, -limit(bits), limit(bits))
    return clipped


def whole(values: npt.ArrayLike, fraction: int, bits: int) -> Whole:
    """Round values to numbers in fixed point."""
    with np.errstate(over="ignore"):  # what is beyond doubles is clipped like all that is too large
        scaled = np.floor(np.asarray(values, np.float64) * 2.0**fraction + 0.5)
    return np.clip(scaled, -limit(bits), limit(bits)).astype(np.int64)


def meant(numbers: npt.NDArray[Any], fraction: int) -> npt.NDArray[np.float64]:
    """Return the values that numbers in fixed point mean."""
    means: npt.NDArray[np.float64] = numbers.astype(np.float64) * 2.0**-fraction
    return means


class Matrices:
    """The matrices of a stage in whole numbers of 16 or 8 bits.

    In 16 bits all have one fraction. In 8 bits each row has a scale, as in float arithmetic: a multiplier in whole
    numbers, all with one fraction.

    Args:
        weights: "int16" or "int8".
        largest: of all weights of the stage.

    Attributes:
        fraction: of a weight; in 8 bits of a multiplier.
    """

    rows = 4

    def __init__(self, weights: str, largest: float) -> None:
        self.weights = weights
        # A weight never leaves its bits, so that it needs no room beyond them; multipliers get all bits on their way.
        self.fraction = (
            fraction_for(largest, STORED, 1.0) if weights == "int16" else fraction_for(largest / 127, ON_THE_WAY, 1.0)
        )

    def stored(self, matrix: Floats) -> tuple[Whole, Whole | None]:
        """Return the whole numbers of a matrix [m, n], and the multipliers [m] of its rows in 8 bits."""
        if self.weights == "int16":
            return whole(matrix, self.fraction, STORED), None
        rows = np.asarray(matrix, np.float64)
        scales = np.abs(rows).max(1, initial=0.0) / 127
        safe = np.where(scales > 0, scales, 1.0)
        return np.floor(rows / safe[:, None] + 0.5).astype(np.int64), whole(scales, self.fraction, ON_THE_WAY)

    def padded(self, rows: int) -> int:
        """Return a count of rows filled up to whole blocks."""
        return -(-rows // self.rows) * self.rows

    def pack(self, matrices: Sequence[Floats]) -> Packed:
        """Return matrices [m, n], one below the other and filled up with rows of zeros, as the C has them."""
        stacked = np.concatenate(matrices)
        filled = np.zeros((self.padded(len(stacked)), stacked.shape[1]), np.float32)
        filled[: len(stacked)] = stacked
        values, multipliers = self.stored(filled)
        kind = np.int16 if self.weights == "int16" else np.int8
        scales = None if multipliers is None else multipliers.astype(np.int32)
        return Packed(values.astype(kind).reshape(-1), scales)


def demand_size(what: str, largest: float) -> None:
    """Refuse numbers that no fraction has room for; UsageError says which."""
    if not largest <= LARGEST:
        raise UsageError(
            f"{what} reach {largest:.3g}, and fixed point has room for {LARGEST:.3g}: scale the data first"
        )
