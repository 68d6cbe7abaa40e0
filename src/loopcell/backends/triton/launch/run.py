"""Run: one loop on tensors, by the kind of kernel that is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.resident import resident_kernel
from loopcell.backends.triton.codegen.slots import Use
from loopcell.backends.triton.launch.choose import block_of
from loopcell.backends.triton.launch.memory import Shape, arguments, as_bytes, readable
from loopcell.backends.triton.toolchain.modules import function, interpreting
from loopcell.equations.keys import Key, cotangent_of
from loopcell.equations.names import ascii_name

Tensors = Mapping[Key, Tensor]


def run_loop(
    loop: Loop,
    leaves: Tensors,
    to: Tensors,
    shape: Shape,
    like: Tensor,
    histories: Tensors | None = None,
) -> tuple[dict[Key, Tensor], dict[Key, Tensor]]:
    """Run a loop.

    Args:
        loop: forward, or reverse.
        leaves: what it reads, by key; for a reverse loop the cotangents of the states among them.
        to: what it writes, states aside, by key.
        shape: of the call.
        like: a tensor of the call's dtype and device.
        histories: of the forward loop, which a reverse loop reads.

    Returns:
        The states after the last step, or their cotangents before the first one, [B, n] by key; and the histories.
    """
    width = {key: shape.width(loop.sizes.of(loop.graph.results[key])) for key in loop.states}
    if histories is None:
        rows = (shape.steps + 1, shape.batch)
        histories = {key: shape.empty(like, (*rows, width[key])) for key in loop.histories}
    finals = {key: like.new_empty((shape.batch, width[key])) for key in loop.states}
    if shape.batch:
        _run_resident(loop, leaves, to, shape, finals, histories)
    return finals, dict(histories)


@lru_cache(maxsize=512)
def _resident(loop: Loop) -> KernelText:
    return resident_kernel(loop)


def _run_resident(
    loop: Loop, leaves: Tensors, to: Tensors, shape: Shape, finals: Tensors, histories: Tensors
) -> None:
    kernel = _resident(loop)
    tensors = {}
    for slot in kernel.slots:
        if slot.use is Use.CARRIED:
            tensors[slot.name] = histories[slot.key]
        elif slot.use is Use.READ:
            tensors[slot.name] = readable(slot, leaves[slot.key], shape)
        else:
            tensors[slot.name] = finals[slot.key] if slot.key.kind == "state" else to[slot.key]
    lengths = shape.lengths
    scalars = {"lengths": lengths.lengths, "resets": as_bytes(lengths.reset), "B": shape.batch, "T": shape.steps}
    blocks = {f"P_{ascii_name(size)}": block_of(shape.sizes[size]) for size in loop.named_sizes}
    launch(kernel, (-(-shape.batch // 16),), arguments(kernel, tensors, scalars), shape, {**blocks, "ROWS": 16}, next(iter(finals.values())))


def launch(kernel: KernelText, grid: tuple[int, ...], found: list[Any], shape: Shape, constants: Mapping[str, Any], like: Tensor, **options: Any) -> None:
    """Launch a kernel on the device, and the stream, of a tensor."""
    import triton.language as tl

    dtypes = {torch.float32: tl.float32, torch.float64: tl.float64, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
    real = tl.float64 if like.dtype == torch.float64 else tl.float32
    factor = dtypes[like.dtype]
    if interpreting() and like.dtype == torch.bfloat16:
        factor = tl.float32
    precision = {"highest": "ieee", "high": "tf32x3", "medium": "tf32"}[torch.get_float32_matmul_precision()]
    named = {name: shape.sizes[size] for name, size in kernel.sizes.items()}
    device = torch.cuda.device(like.device) if like.device.type == "cuda" else nullcontext()
    with device, np.errstate(all="ignore"):
        function(kernel.source, kernel.name)[grid](*found, **named, **constants, REAL=real, FACTOR=factor, PRECISION=precision, **options)
