"""Constants: what is compiled into a kernel, and the types of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from loopcell.backends.triton.codegen.blocked import BlockedLoop
from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import Use
from loopcell.backends.triton.launch.choose import KernelChoice, block_of, power_of_two
from loopcell.backends.triton.toolchain.modules import interpreting
from loopcell.equations.names import ascii_name

PRECISIONS = {"highest": "ieee", "high": "tf32x3", "medium": "tf32"}
"""How float32 is multiplied, by `torch.get_float32_matmul_precision()`."""

_TYPES = {torch.float32: "fp32", torch.float64: "fp64", torch.float16: "fp16", torch.bfloat16: "bf16"}
_REAL = (Use.CARRIED, Use.SCRATCH, Use.PARTIAL)
"""What stays in the dtype in which kernels compute."""


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which kernels compute on tensors of a dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def common(dtype: torch.dtype) -> dict[str, Any]:
    """Return the compile-time arguments of every kernel on tensors of a dtype."""
    import triton.language as tl

    named = {torch.float64: tl.float64, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
    factor = named.get(dtype, tl.float32)
    if interpreting() and dtype == torch.bfloat16:  # for which the interpreter has no arithmetic
        factor = tl.float32
    real = tl.float64 if dtype == torch.float64 else tl.float32
    return {"REAL": real, "FACTOR": factor, "PRECISION": PRECISIONS[torch.get_float32_matmul_precision()]}


def of_resident(loop: Loop, sizes: Mapping[str, int], choice: KernelChoice) -> dict[str, Any]:
    """Return the constants of a resident kernel, `common` aside."""
    blocks = {f"P_{ascii_name(size)}": block_of(sizes[size]) for size in loop.named_sizes}
    return {**_numbers(loop, sizes), **blocks, "ROWS": choice.rows}


def of_blocked(blocked: BlockedLoop, sizes: Mapping[str, int], choice: KernelChoice, sweep: int = -1) -> dict[str, Any]:
    """Return the constants of a blocked kernel, `common` aside.

    Args:
        blocked: the loop.
        sizes: every size by name.
        choice: kind and tiles.
        sweep: the only one of a launch; -1: all.
    """
    wide = {name: block_of(sizes[size]) for name, size in blocked.wide.items()}
    return {
        **_numbers(blocked.loop, sizes),
        **wide,
        "ROWS": choice.rows,
        "UNITS": choice.units,
        "DEPTH": choice.depth,
        "BLOCKS": power_of_two(blocks_of(blocked.loop, sizes, choice)),
        "HOLD": choice.kind == "persistent" and choice.held,
        "GIVEN": choice.kind == "stepped",
        "SWEEP": sweep,
        "CACHE": ".cg" if choice.kind == "persistent" else "",
    }


def _numbers(loop: Loop, sizes: Mapping[str, int]) -> dict[str, int]:
    return {f"N_{ascii_name(size)}": sizes[size] for size in loop.named_sizes}


def blocks_of(loop: Loop, sizes: Mapping[str, int], choice: KernelChoice) -> int:
    """Return the number of blocks of units that the longest vector has."""
    return max((-(-sizes[size] // choice.units) for size in loop.named_sizes), default=1)


def signature(kernel: KernelText, dtype: torch.dtype, choice: KernelChoice, *, ragged: bool) -> dict[str, str]:
    """Return the types of a kernel's arguments as Triton spells them, in order.

    Args:
        kernel: the kernel.
        dtype: of the tensors.
        choice: its kind.
        ragged: lengths and resets are given.
    """
    own, real = f"*{_TYPES[dtype]}", f"*{_TYPES[real_dtype(dtype)]}"
    types: dict[str, str] = {}
    for slot in kernel.slots:
        unused = slot.use is Use.GIVEN and choice.kind != "stepped"
        types[slot.name] = "constexpr" if unused else (real if slot.use in _REAL else own)
    types |= {f"{slot.name}_s": "i32" for slot in kernel.strides}
    given = {"lengths": "*i64" if ragged else "constexpr", "resets": "*u8" if ragged else "constexpr"}
    given["counters"] = "*i32" if choice.kind == "persistent" else "constexpr"
    types |= {name: given.get(name, "i32") for name in kernel.scalars}
    return types | dict.fromkeys((*kernel.sizes, *kernel.constants), "constexpr")
