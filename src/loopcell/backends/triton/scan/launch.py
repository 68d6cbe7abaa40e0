"""Launching a scan: how many blocks of steps, and the tensors between the kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from loopcell.backends.triton.scan import kernels

MOST_LANES, FEWEST_LANES = 128, 32
"""Units of one program, which is one warp: four a thread are loads of 16 bytes."""
CARRY_LANES = 128
PROGRAMS_A_PROCESSOR = 32
FEWEST_STEPS = 64
"""A block below this costs more at its carry than it gains."""


def triton_scan(coefficient: Tensor, offset: Tensor, first: Tensor, restart: Tensor | None, reverse: bool) -> Tensor:
    """Run a scan as kernels; a `ScanRunner`. Half precision is computed in float32.

    Steps are cut into blocks where rows and units alone do not fill the device; float64 has no blocks.
    """
    if not offset.numel():
        return torch.empty_like(offset)
    # Triton launches on the current device, whatever the tensors are on.
    with torch.cuda.device_of(offset):  # type: ignore[no-untyped-call]
        return _launched(coefficient, offset, first, restart, reverse)


def _launched(coefficient: Tensor, offset: Tensor, first: Tensor, restart: Tensor | None, reverse: bool) -> Tensor:
    shape = offset.shape
    if restart is None and _is_flat(coefficient) and _is_flat(offset):  # then short rows waste no lanes
        coefficient, offset, first = (tensor.flatten(-2).unsqueeze(-2) for tensor in (coefficient, offset, first))
    call = _ScanCall(coefficient, offset, restart, reverse)
    states = torch.empty(offset.shape, dtype=offset.dtype, device=offset.device)
    block_steps = call.steps if offset.dtype == torch.float64 else call.steps_a_block(offset.device)
    blocks = -(-call.steps // block_steps)
    carry = first.contiguous() if blocks == 1 else _carries(call, first.contiguous(), block_steps, blocks)
    double = offset.dtype == torch.float64
    kernels.states_kernel[call.programs, blocks](
        *call.tensors, carry, states, *call.numbers(block_steps), **call.options, DOUBLE=double
    )
    return states.view(shape)


def _is_flat(tensor: Tensor) -> bool:
    """Say whether the rows of every step lie one behind the other, so that [B, n] may be read as [1, B * n]."""
    return tensor.stride(1) == tensor.stride(2) * tensor.shape[2]


class _ScanCall:
    """The arguments that all kernels of a call share.

    Attributes:
        steps, rows, units: T, B, n.
        programs: how many a block of steps has.
        tensors: the coefficient, the offset and the restarts.
        options: constants that the kernels are compiled for, and warps a program.
    """

    def __init__(self, coefficient: Tensor, offset: Tensor, restart: Tensor | None, reverse: bool) -> None:
        self.steps, self.rows, self.units = offset.shape
        lanes = min(MOST_LANES, max(FEWEST_LANES, 1 << (self.units - 1).bit_length()))
        self.programs = self.rows * -(-self.units // lanes)
        # Without restarts any tensor may stand for them; nobody reads it.
        self.tensors = (coefficient, offset, offset if restart is None else restart.int().contiguous())
        self.strides = (*coefficient.stride(), *offset.stride())
        self.options: dict[str, Any] = {
            "REVERSE": reverse,
            "RESTARTS": restart is not None,
            "LANES": lanes,
            "num_warps": 1,
            "enable_fp_fusion": True,  # said, since its default changes between versions of Triton
        }

    def numbers(self, block_steps: int) -> tuple[int, ...]:
        return (self.steps, self.rows, self.units, block_steps, *self.strides)

    def steps_a_block(self, device: torch.device) -> int:
        """Return into blocks of how many steps the sequence is cut, so that there are programs enough."""
        processors = torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
        blocks = -(-processors * PROGRAMS_A_PROCESSOR // self.programs)
        return min(self.steps, max(FEWEST_STEPS, -(-self.steps // blocks)))


def _carries(call: _ScanCall, first: Tensor, block_steps: int, blocks: int) -> Tensor:
    """Return the state before each block, [blocks, B, n], in float32."""
    shape = (blocks, call.rows, call.units)
    share, mantissa, carry = (torch.empty(shape, dtype=torch.float32, device=first.device) for _ in range(3))
    exponent = torch.empty(shape, dtype=torch.int32, device=first.device)
    kernels.share_kernel[call.programs, blocks](
        *call.tensors, share, mantissa, exponent, *call.numbers(block_steps), **call.options
    )
    lanes = call.rows * call.units
    kernels.carry_kernel[(-(-lanes // CARRY_LANES),)](
        first, share, mantissa, exponent, carry, lanes, blocks, LANES=CARRY_LANES, num_warps=1, enable_fp_fusion=True
    )
    return carry
