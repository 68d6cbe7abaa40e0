"""Choose: which kind of kernel runs a loop, by its shape, its dtype and what the device has.

| kind       | where                                                                  |
|------------|------------------------------------------------------------------------|
| resident   | all sizes are small: the weights and a step's values stay on one processor |
| persistent | the blocks of a few rows have a processor each, which holds its weights |
| streamed   | many rows: each processor reads the weights at every step, from the cache that all share |
| stepped    | one step, or weights beyond every cache: products by PyTorch           |

None of the bounds has been measured on a device yet; `benchmarks` has the grid that does so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from loopcell.backends.triton.codegen.blocked import BlockedLoop
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.toolchain.device import Limits


@dataclass(frozen=True)
class Choice:
    """A kind of kernel with its tiles.

    Attributes:
        kind: "resident", "streamed", "persistent" or "stepped".
        rows: of the batch that a program works on.
        units: of a block; a resident kernel has all of them.
        depth: of a product, at a time.
        warps: of a program.
    """

    kind: str
    rows: int = 16
    units: int = 64
    depth: int = 32
    warps: int = 4


KINDS = ("resident", "streamed", "persistent", "stepped")

_MOST_FORWARD, _MOST_REVERSE = 128, 64
"""Sizes up to which a resident kernel holds its weights, forward and in reverse, which keeps more values."""
_WIDEST_STREAMED, _WIDEST_HELD = 512, 1024
"""Sizes up to which weights are read at every step from the cache of all, and up to which blocks of them are held."""

_forced: ContextVar[Choice | None] = ContextVar("loopcell_triton_kind", default=None)


@contextmanager
def forced(choice: Choice) -> Iterator[None]:
    """Take one kind of kernel for all calls in a block, whatever their shape: for tests and measurements."""
    token = _forced.set(choice)
    try:
        yield
    finally:
        _forced.reset(token)


def block_of(size: int) -> int:
    """Return the width of a block that holds a vector whole: a power of two, and no less than products take."""
    return max(16, 1 << (size - 1).bit_length())


def choose(loop: Loop, sizes: Mapping[str, int], batch: int, steps: int, itemsize: int, limits: Limits) -> Choice:
    """Choose the kernel of a loop.

    Args:
        loop: forward or reverse.
        sizes: every size by name.
        batch: B.
        steps: T.
        itemsize: bytes of a number.
        limits: of the device.
    """
    wanted = _forced.get()
    if wanted is not None:
        return wanted
    width = max((sizes[size] for size in loop.named_sizes), default=1)
    weights = itemsize * sum(sizes[rows] * sizes[columns] for rows, columns in loop.matrices)
    most = _MOST_REVERSE if loop.reverse else _MOST_FORWARD
    if itemsize > 4:
        most //= 2
    if block_of(width) <= most and weights <= limits.shared:
        return Choice("resident", warps=4 if block_of(width) <= 64 else 8)
    if steps == 1:
        return Choice("stepped", warps=4)
    held = _persistent(loop, sizes, batch, itemsize, limits, width)
    if held is not None:
        return held
    if width <= _WIDEST_STREAMED and -(-batch // 16) * 2 >= limits.processors:
        return Choice("streamed", units=64 if itemsize <= 4 else 32)
    return Choice("stepped")


def _persistent(
    loop: Loop, sizes: Mapping[str, int], batch: int, itemsize: int, limits: Limits, width: int
) -> Choice | None:
    """Return tiles with which every program holds its weights and all programs run at once; None where none do."""
    if width > _WIDEST_HELD:
        return None
    blocked = BlockedLoop(loop)
    depth = sum(
        block_of(sizes[blocked.sizes.of(operand)]) * len(names)
        for part in blocked.contractions
        for operand, names in part.segments
    )
    tiles = -(-batch // 16)
    for units in (64, 32, 16):
        programs = tiles * -(-width // units)
        # Beside the weights, an operand of one product waits in shared memory.
        if programs <= limits.processors and itemsize * (depth * units + 16 * block_of(width)) <= limits.shared:
            return Choice("persistent", units=units)
    return None

