"""Choose: which kind of kernel runs a loop, by its shape, its dtype and what the device has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loopcell.backends.triton.codegen.layout import Loop


@dataclass(frozen=True)
class Limits:
    """The limits of a device.

    Attributes:
        name: of the device.
        processors: multiprocessors, each of which runs a program at a time here.
        shared: bytes of shared memory that one program may have.
    """

    name: str
    processors: int
    shared: int


@dataclass(frozen=True)
class Choice:
    """A kind of kernel with its tiles.

    Attributes:
        kind: "resident", "streamed", "persistent" or "stepped".
        rows: of the batch that a program works on.
        units: of a block.
        depth: of the products, at a time.
        warps: of a program.
    """

    kind: str
    rows: int
    units: int
    depth: int
    warps: int


def block_of(size: int) -> int:
    """Return the width of a block that holds a vector whole: a power of two, and no less than products take."""
    return max(16, 1 << (size - 1).bit_length())
