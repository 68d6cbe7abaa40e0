"""Launching a scan: how many blocks of steps, and the tensors between the kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from loopcell.backends.triton.scan import kernels

LANES = 128
"""Lanes of one program: a warp's loads are then 128 bytes of one step, as wide as memory gives them."""
PROGRAMS_A_PROCESSOR = 16
FEWEST_STEPS = 64
"""A block below this costs more at its carry than it gains."""


def triton_scan(coefficient: Tensor, offset: Tensor, first: Tensor, restart: Tensor | None, reverse: bool) -> Tensor:
    """Run a scan as kernels; a `ScanRunner`. Half precision is computed in float32.

    Steps are cut into blocks where the rows and units alone do not fill the device; float64 has no blocks.
    """
    steps, rows, units = offset.shape
    states = torch.empty((steps, rows, units), dtype=offset.dtype, device=offset.device)
    if not states.numel():
        return states
    call = _ScanCall(coefficient, offset, restart, reverse)
    block_steps = steps if offset.dtype == torch.float64 else steps_a_block(steps, rows * units, offset.device)
    blocks = -(-steps // block_steps)
    carry = first.contiguous() if blocks == 1 else _carries(call, first, block_steps, blocks)
    sums = kernels.tl.float64 if offset.dtype == torch.float64 else kernels.tl.float32
    kernels.states_kernel[call.grid(blocks)](
        *call.tensors, carry, states, *call.numbers(block_steps), **call.constants, SUMS=sums
    )
    return states


def steps_a_block(steps: int, lanes: int, device: torch.device) -> int:
    """Return into blocks of how many steps a sequence is cut, so that there are programs enough for the device."""
    processors = torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
    blocks = -(-processors * PROGRAMS_A_PROCESSOR // -(-lanes // LANES))
    return min(steps, max(FEWEST_STEPS, -(-steps // blocks)))


class _ScanCall:
    """What all kernels of a call are given."""

    def __init__(self, coefficient: Tensor, offset: Tensor, restart: Tensor | None, reverse: bool) -> None:
        self.steps, self.rows, self.units = offset.shape
        # Without restarts any tensor may stand for them; nobody reads it.
        restarts = offset if restart is None else restart.contiguous().view(torch.uint8)
        self.tensors = (coefficient, offset, restarts)
        self.strides = (*coefficient.stride(), *offset.stride())
        self.constants = {"REVERSE": reverse, "RESTARTS": restart is not None, "LANES": LANES}

    def grid(self, blocks: int) -> tuple[int, int]:
        return (-(-self.rows * self.units // LANES), blocks)

    def numbers(self, block_steps: int) -> tuple[int, ...]:
        return (self.steps, self.rows, self.units, block_steps, *self.strides)


def _carries(call: _ScanCall, first: Tensor, block_steps: int, blocks: int) -> Tensor:
    """Return the state before each block, [blocks, B, n], in float32."""
    shape = (blocks, call.rows, call.units)
    share, mantissa, carry = (torch.empty(shape, dtype=torch.float32, device=first.device) for _ in range(3))
    exponent = torch.empty(shape, dtype=torch.int32, device=first.device)
    kernels.share_kernel[call.grid(blocks)](
        *call.tensors, share, mantissa, exponent, *call.numbers(block_steps), **call.constants
    )
    lanes = call.rows * call.units
    kernels.carry_kernel[(-(-lanes // LANES),)](
        first.contiguous(), share, mantissa, exponent, carry, lanes, blocks, LANES=LANES
    )
    return carry
