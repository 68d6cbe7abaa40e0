"""Launch: a kernel with its arguments, on the device and the stream of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.launch.choose import Choice
from loopcell.backends.triton.launch.constants import common
from loopcell.backends.triton.launch.memory import Shape, row_stride
from loopcell.backends.triton.toolchain.modules import function


def launch(
    kernel: KernelText,
    grid: tuple[int, ...],
    tensors: Mapping[str, Tensor | None],
    scalars: Mapping[str, Any],
    shape: Shape,
    constants: Mapping[str, Any],
    choice: Choice,
    like: Tensor,
    *,
    together: bool = False,
) -> None:
    """Launch a kernel.

    Args:
        kernel: its text.
        grid: how many programs there are.
        tensors: as its slots read and write them, by name; None for one that this kind of kernel does not touch.
        scalars: what changes from call to call, by name.
        shape: of the call.
        constants: what is compiled into it, sizes and `COMMON` aside.
        choice: the tiles.
        like: a tensor of the call's dtype and device.
        together: all programs have to run at once, since they wait for each other.
    """
    found: list[Any] = [tensors[slot.name] for slot in kernel.slots]
    found += [0 if (given := tensors[slot.name]) is None else row_stride(slot, given) for slot in kernel.strides]
    found += [scalars[name] for name in kernel.scalars]
    named = {name: shape.sizes[size] for name, size in kernel.sizes.items()} | dict(constants) | common(like.dtype)
    options: dict[str, Any] = {"num_warps": choice.warps}
    if together:
        options["launch_cooperative_grid"] = True
    device = torch.cuda.device(like.device) if like.device.type == "cuda" else nullcontext()
    # The interpreter computes with NumPy, which would warn of every infinity.
    with device, np.errstate(all="ignore"):
        function(kernel.source, kernel.name)[grid](*found, **named, **options)
