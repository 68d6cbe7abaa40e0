"""Device: whether kernels run on it, and what it has, as far as the choice of a kernel depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from loopcell.backends.triton.toolchain.modules import ADVICE, MISSING, interpreting, version


@dataclass(frozen=True)
class DeviceLimits:
    """The limits of a device.

    Attributes:
        processors: multiprocessors.
        shared: bytes of shared memory that one program may have.
    """

    processors: int
    shared: int


OLDEST = (8, 0)
"""The compute capability that kernels need: that of an A100; an RTX 30 has (8, 6)."""

H100 = DeviceLimits(processors=132, shared=232448)
"""The limits by which kernels are chosen in the interpreter."""


def device_obstacle(device: torch.device) -> tuple[str, str] | None:
    """Return why kernels do not run on a device, and the cure; None where they do.

    On AMD's GPUs, which torch calls "cuda" too, nothing of this has been tried.
    """
    if version() is None:
        return MISSING, ADVICE
    if interpreting() and device.type != "meta":  # whose tensors nothing can read
        return None
    if device.type != "cuda":
        return f"Triton kernels are for CUDA GPUs, and the tensors are on {device.type}", "move them to a CUDA device"
    if torch.version.hip is not None:
        return "Triton kernels have not been tried on AMD GPUs", 'run this part with backend("reference")'
    capability = torch.cuda.get_device_capability(device)
    if capability < OLDEST:
        had, needed = (".".join(map(str, pair)) for pair in (capability, OLDEST))
        return f"the GPU has compute capability {had}, and Triton kernels need {needed}", "use a newer GPU"
    return None


def limits_of(device: torch.device) -> DeviceLimits:
    """Return the limits of a device."""
    if device.type != "cuda":
        return H100
    return _limits(device.index if device.index is not None else torch.cuda.current_device())


@cache
def _limits(number: int) -> DeviceLimits:
    found = torch.cuda.get_device_properties(number)
    return DeviceLimits(found.multi_processor_count, getattr(found, "shared_memory_per_block_optin", 101376))
