"""Device: what a GPU has, as far as the choice of a kernel depends on it."""

from __future__ import annotations

from functools import cache

import torch

from loopcell.backends.triton.launch.choose import Limits

OLDEST = (8, 0)
"""The compute capability that kernels need: of an A100, or an RTX 30 (8, 6)."""

H100 = Limits(processors=132, shared=232448)
"""The limits by which kernels are chosen in the interpreter."""


def limits_of(device: torch.device) -> Limits:
    """Return the limits of a device."""
    return _limits(device.index if device.index is not None else torch.cuda.current_device()) if _is_gpu(device) else H100


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


@cache
def _limits(number: int) -> Limits:
    found = torch.cuda.get_device_properties(number)
    return Limits(found.multi_processor_count, getattr(found, "shared_memory_per_block_optin", 101376))
