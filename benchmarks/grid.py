"""The grid: which cells, and which sizes."""

from __future__ import annotations

import os
from typing import NamedTuple


class Shape(NamedTuple):
    """Steps, batch, length of the input, length of the hidden state."""

    T: int
    B: int
    I: int  # noqa: E741 - the field's letter
    H: int

    def __str__(self) -> str:
        return ",".join(map(str, self))

    @property
    def is_large(self) -> bool:
        """True if the time is the products', so that their roof is the bar."""
        return self.H >= 256 and self.B >= 32


def shape(text: str) -> Shape:
    """Read what `str` of a shape wrote."""
    return Shape(*map(int, text.split(",")))


CELLS = ("rnn", "lstm", "gru")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
SHAPES = (
    Shape(1, 1, 64, 64),
    Shape(1, 1, 128, 128),
    Shape(1, 1, 256, 256),
    Shape(1, 1, 512, 512),
    Shape(100, 1, 128, 128),
    Shape(100, 8, 128, 128),
    Shape(100, 32, 64, 128),
    Shape(100, 32, 128, 256),
    Shape(128, 64, 256, 512),
    Shape(50, 128, 512, 512),
    Shape(784, 64, 1, 128),
    Shape(4000, 4, 16, 64),
)
LARGE = tuple(one for one in SHAPES if one.is_large)
WIDE = tuple(one for one in SHAPES if one.B >= 32)
LONG = tuple(one for one in SHAPES if one.T > 1)
NARROW = (Shape(100, 1, 256, 256), Shape(1000, 1, 256, 256), Shape(100, 1, 512, 512))
"""One row, whose steps are work enough for several threads."""


def threads_on(cores: int) -> tuple[int, ...]:
    """Return the numbers of threads that are measured on a machine: as many of them as there are cores."""
    return tuple(number for number in (1, 2, 4, 8) if number <= max(1, cores))


THREADS = threads_on(os.cpu_count() or 1)


def flops(cell: str, sizes: Shape) -> int:
    """Return floating point operations of the products of one forward pass; a training pass has three times as many."""
    return 2 * sizes.T * sizes.B * GATES[cell] * sizes.H * (sizes.I + sizes.H)
