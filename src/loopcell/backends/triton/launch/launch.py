"""Launch: a kernel with its arguments, on the device and the stream of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.launch.choose import KernelChoice
from loopcell.backends.triton.launch.constants import common
from loopcell.backends.triton.launch.memory import row_stride
from loopcell.backends.triton.toolchain.modules import function


def launch(
    kernel: KernelText,
    grid: tuple[int, ...],
    given: Mapping[str, Any],
    constants: Mapping[str, Any],
    choice: KernelChoice,
    like: Tensor,
    *,
    together: bool = False,
) -> None:
    """Launch a kernel.

    Args:
        kernel: its text.
        grid: how many programs there are.
        given: the tensors of its slots (None for one that this kind of kernel does not touch), and its scalars.
        constants: what is compiled into it, `common` aside.
        choice: the tiles.
        like: a tensor of the call's dtype and device.
        together: all programs have to run at once, since they wait for each other.
    """
    found: list[Any] = [given[slot.name] for slot in kernel.slots]
    found += [0 if (tensor := given[slot.name]) is None else row_stride(slot, tensor) for slot in kernel.strides]
    found += [given[name] for name in kernel.scalars]
    options: dict[str, Any] = dict(choice.options)
    if together:
        options["launch_cooperative_grid"] = True
    device = torch.cuda.device(like.device) if like.device.type == "cuda" else nullcontext()
    # The interpreter computes with NumPy, which would warn of every infinity.
    with device, np.errstate(all="ignore"):
        function(kernel.source, kernel.name)[grid](*found, **constants, **common(like.dtype), **options)
