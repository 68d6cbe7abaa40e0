"""Transfer: tensors to another device, without waiting for it where that is safe."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; the same one if it is there already.

    From memory of the CPU that is not pinned CUDA's driver takes a copy before it returns, so that there is nothing to
    wait for, and the caller may write to the tensor at once. Every other transfer is waited for.
    """
    apart = (
        device.type == "cuda"
        and tensor.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not tensor.is_pinned()
    )
    return tensor.to(device, non_blocking=apart)
