"""Choose: which kind of kernel runs a loop, by its shape, its dtype and what the device has.

| kind       | where                                                                  |
|------------|------------------------------------------------------------------------|
| resident   | all sizes are small: the weights and a step's values stay on one processor |
| persistent | the blocks of a few rows have a processor each, which holds its weights |
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

import torch

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
        held: a persistent kernel keeps its weights on the chip for the whole loop; else it reads them at every step.
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
"""Sizes up to which a resident kernel holds its weights, forward and in reverse, which keeps more values."""
_WIDEST_STREAMED, _WIDEST_HELD = 512, 1024
"""Sizes up to which weights are read at every step from the cache of all, and up to which blocks of them are held."""

_DEEPEST_HELD = 256
"""The depth of a product up to which a block's weights are held as one: more take minutes to compile."""
_MOST_REGISTERS = 255
_LONG_STEP = 60
"""Values of a step, beyond which fewer units fit into the registers: an LSTM has 38 in reverse, with layer norm 167.

A longer reverse step has numbers on the stack in any kernel that has all of it, whatever its tiles, and a resident one
ended Triton 3.9's compiler. Stepped kernels have a sweep each, and do with the registers that there are."""
_MOST_NUMBERS = 1024
"""Of a block [rows, units]: with more, the values of a step did not fit into the registers of the cells tried."""

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
    if wanted is not None:
        return found.get(wanted, found["stepped"])
    width, is_long = _width(loop, sizes), _is_long(loop)
    if is_long and loop.reverse:
        return found["stepped"]
    most = _MOST_REVERSE if loop.reverse else _MOST_FORWARD
    if itemsize > 4 or is_long:
        most //= 2
    if "resident" in found and block_of(width) <= most:
        return found["resident"]
    if steps == 1:
        return found["stepped"]
    if "persistent" in found and width <= (_DEEPEST_HELD if is_long else _WIDEST_HELD):
        return found["persistent"]
    is_busy = -(-batch // 16) * 2 >= limits.processors
    return found["streamed" if width <= _WIDEST_STREAMED and is_busy and not is_long else "stepped"]


def possible(
    loop: Loop, sizes: Mapping[str, int], batch: int, itemsize: int, limits: DeviceLimits
) -> dict[str, KernelChoice]:
    """Return the tiles of every kind of kernel that has room on a device, whether or not it is the fastest.

    Arguments as of `choose`.
    """
    width, is_long = _width(loop, sizes), _is_long(loop)
    weights = itemsize * sum(sizes[rows] * sizes[columns] for rows, columns in loop.matrices)
    found = {
        "streamed": KernelChoice("streamed", units=64 if itemsize == 4 and not is_long else 32),
        "stepped": KernelChoice("stepped", units=32 if itemsize > 4 or is_long else 64),
    }
    if weights <= limits.shared:
        found["resident"] = KernelChoice("resident", warps=4 if block_of(width) <= 32 else 8)
    held = _persistent(loop, sizes, batch, itemsize, limits)
    return found if held is None else {**found, "persistent": held}


def _width(loop: Loop, sizes: Mapping[str, int]) -> int:
    return max((sizes[size] for size in loop.named_sizes), default=1)


def _is_long(loop: Loop) -> bool:
    """Say whether a step has so many values, as one with layer norm, that fewer units fit into the registers."""
    return len(loop.graph.nodes) > _LONG_STEP


def _persistent(
    loop: Loop, sizes: Mapping[str, int], batch: int, itemsize: int, limits: DeviceLimits
) -> KernelChoice | None:
    """Return tiles with which every program holds its weights and all programs run at once; None where none do."""
    blocked, width = blocked_of(loop), _width(loop, sizes)
    depth = sum(
        block_of(sizes[blocked.sizes.of(operand)]) * len(names)
        for part in blocked.contractions
        for operand, names in part.segments
    )
    # Without tensor cores each thread would hold a share of the weights in registers, which are too few: the weights of
    # a block then stay in the first cache of its processor by themselves.
    on_tensor_cores = itemsize == 2 or (itemsize == 4 and torch.get_float32_matmul_precision() == "medium")
    held = on_tensor_cores and block_of(width) <= _DEEPEST_HELD
    # Few rows in few units first: the smaller a program, the sooner it is at the barrier.
    for rows in (16, 32, 64):
        for units in (16, 32, 64):
            programs = -(-batch // rows) * -(-width // units)
            # Beside the weights, an operand of one product waits in shared memory.
            fits = itemsize * (depth * units + rows * block_of(width)) <= limits.shared
            if programs <= limits.processors and fits and rows * units <= _MOST_NUMBERS:
                # So many that no number of a step goes to the stack, in the cells that were compiled.
                warps = 8 if _is_long(loop) else min(8, max(4, rows * units // 128))
                return KernelChoice("persistent", rows=rows, units=units, warps=warps, held=held)
    return None
