"""Choose: which kind of kernel runs a loop, by its shape, its dtype and what the device has.

| kind       | where                                                                  |
|------------|------------------------------------------------------------------------|
| resident   | all sizes are small: the weights and a step's values stay on one processor |
| persistent | the blocks of a few rows have a processor each, which has its weights in its cache |
| streamed   | many rows: each processor reads the weights at every step, from the cache that all share |
| stepped    | one step, or weights beyond every cache: products by PyTorch           |

None of the bounds has been measured on a device yet; `python -m benchmarks.gpu --only kinds` does so, and names those
that are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from loopcell.backends.triton.codegen.blocked import BlockedLoop
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.toolchain.device import DeviceLimits


@dataclass(frozen=True)
class KernelChoice:
    """A kind of kernel with its tiles.

    Attributes:
        kind: "resident", "streamed", "persistent" or "stepped".
        rows: of the batch that a program works on.
        units: of a block; a resident kernel has all of them.
        depth: of a product, at a time.
        warps: of a program.
        held: a persistent kernel holds its weights as values for the whole loop, which no choice does; else it reads
            them at every step.
    """

    kind: str
    rows: int = 16
    units: int = 64
    depth: int = 32
    warps: int = 8
    held: bool = True

    @property
    def options(self) -> dict[str, int]:
        """The compiler's options.

        Without a bound on registers the assembler weighs how many programs fit on a multiprocessor, and puts numbers on
        the stack at 80 registers a thread. 255 are the most that there are, and 8 warps of them fit.
        """
        return {"num_warps": self.warps, "maxnreg": _MOST_REGISTERS}


KINDS = ("resident", "streamed", "persistent", "stepped")

_MOST_FORWARD, _MOST_REVERSE = 128, 64
"""Sizes up to which a resident kernel holds its weights, forward and in reverse, which keeps more values.

Forward it is a quarter of that in float32, without tensor cores: each thread holds a share of a product's operands.
"""
_WIDEST_STREAMED, _WIDEST_HELD = 512, 1024
"""Sizes up to which weights are read at every step from the cache of all, and up to which blocks of them are held."""

_MOST_REGISTERS = 255
_LONG_STEP, _LONG_STEP_FP64 = 60, 40
"""Values of a step, beyond which fewer units fit into the registers: an LSTM has 38 in reverse, with layer norm 167.
In float64 a value takes two of them.

A longer step is resident up to half the size, and in reverse not at all, since Triton 3.9's compiler ended its process
there; and it is not streamed.
"""
_MOST_MATRICES = 4
"""Matrices of a step, beyond which a resident kernel has them in half precision alone, and up to half the size.

An LSTM has that many; one with a projection has 5, and GRU-D 6.
"""
_forced: ContextVar[KernelChoice | str | None] = ContextVar("loopcell_triton_kind", default=None)


@contextmanager
def forced(choice: KernelChoice | str) -> Iterator[None]:
    """Take one kind of kernel for all calls in a block, whatever their shape: for tests and measurements.

    Args:
        choice: the kind with its tiles; or its name, for the tiles of each loop's own, and "stepped" where it has no
            room.
    """
    token = _forced.set(choice)
    try:
        yield
    finally:
        _forced.reset(token)


def power_of_two(count: int) -> int:
    """Return the least power of two that is no less than a number."""
    return 1 << (count - 1).bit_length()


def block_of(size: int) -> int:
    """Return the width of a block that holds a vector whole: a power of two, and no less than products take."""
    return max(16, power_of_two(size))


@lru_cache(maxsize=512)
def blocked_of(loop: Loop) -> BlockedLoop:
    """Return a loop cut into blocks of units, planned once: every call asks before it chooses."""
    return BlockedLoop(loop)


def choose(
    loop: Loop, sizes: Mapping[str, int], batch: int, steps: int, itemsize: int, limits: DeviceLimits
) -> KernelChoice:
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
    if isinstance(wanted, KernelChoice):
        return wanted
    found = possible(loop, sizes, batch, itemsize, limits)
    width, is_long, is_wide = _width(loop, sizes), _is_long(loop, itemsize), _is_wide(loop)
    most = _MOST_REVERSE if loop.reverse else _MOST_FORWARD
    if itemsize > 4 or is_long or (is_wide and not loop.reverse):
        most //= 2
    if itemsize == 4 and not loop.reverse:
        most //= 4
    is_busy = -(-batch // 16) * 2 >= limits.processors
    if wanted is not None:
        kind = wanted
    elif "resident" in found and block_of(width) <= most:
        kind = "resident"
    elif is_long and itemsize != 4 and not loop.reverse:
        kind = "stepped"  # the persistent one has numbers on the stack
    elif steps > 1 and "persistent" in found and width <= _WIDEST_HELD:
        kind = "persistent"
    elif steps > 1 and width <= _WIDEST_STREAMED and is_busy and not is_long:
        kind = "streamed"
    else:
        kind = "stepped"
    return found.get(kind, found["stepped"])


def possible(
    loop: Loop, sizes: Mapping[str, int], batch: int, itemsize: int, limits: DeviceLimits
) -> dict[str, KernelChoice]:
    """Return the tiles of every kind of kernel that has room on a device, whether or not it is the fastest.

    Arguments as of `choose`.
    """
    width, is_long, is_wide = _width(loop, sizes), _is_long(loop, itemsize), _is_wide(loop)
    weights = itemsize * sum(sizes[rows] * sizes[columns] for rows, columns in loop.matrices)
    units = 32 if itemsize > 4 or is_long or (itemsize == 4 and not loop.reverse) else 64
    depth = 16 if itemsize > 2 else 32 if is_wide and loop.reverse else 64
    found = {
        "streamed": KernelChoice("streamed", units=units, depth=depth),
        "stepped": KernelChoice("stepped", units=units),
    }
    crowded = (is_long and (loop.reverse or itemsize > 4)) or (is_wide and itemsize > 2)
    if weights <= limits.shared and not crowded:
        # In float32, without tensor cores, a thread holds more of a product: more threads share it.
        found["resident"] = KernelChoice("resident", warps=4 if block_of(width) <= 32 and itemsize != 4 else 8)
    persistent = _persistent(loop, sizes, batch, itemsize, limits)
    return found if persistent is None else {**found, "persistent": persistent}


def _width(loop: Loop, sizes: Mapping[str, int]) -> int:
    return max((sizes[size] for size in loop.named_sizes), default=1)


def _is_long(loop: Loop, itemsize: int) -> bool:
    """Say whether a step has so many values, as one with layer norm, that fewer units fit into the registers."""
    return len(loop.graph.nodes) > (_LONG_STEP_FP64 if itemsize > 4 else _LONG_STEP)


def _is_wide(loop: Loop) -> bool:
    """Say whether a step has so many matrices that their products take most registers."""
    return len(loop.matrices) > _MOST_MATRICES


def _persistent(
    loop: Loop, sizes: Mapping[str, int], batch: int, itemsize: int, limits: DeviceLimits
) -> KernelChoice | None:
    """Return tiles with which all programs run at once, each with a block of weights near it; None where none do.

    A block's weights stay in the first cache of its processor by themselves. Held as values of the whole loop they took
    registers that a step needs, and memory that is as fast as that cache.
    """
    blocked, width = blocked_of(loop), _width(loop, sizes)
    depth = sum(
        block_of(sizes[blocked.sizes.of(operand)]) * len(names)
        for part in blocked.contractions
        for operand, names in part.segments
    )
    # Few units first: the smaller a program, the sooner it is at the barrier. Blocks of more rows did not fit into the
    # registers of the cells that were compiled.
    for units in (16, 32, 64):
        programs = -(-batch // 16) * -(-width // units)
        # Beside the weights, an operand of one product waits in shared memory.
        fits = itemsize * (depth * units + 16 * block_of(width)) <= limits.shared
        if programs <= limits.processors and fits:
            warps, at_a_time = max(4, units // 8), 16 if itemsize > (2 if _is_wide(loop) else 4) else 32
            return KernelChoice("persistent", units=units, depth=at_a_time, warps=warps, held=False)
    return None
