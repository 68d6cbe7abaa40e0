"""The kernels of cells, as they are chosen for calls of several shapes: one of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.gpu.compiled import Device, Variant
from loopcell import cells
from loopcell.backends.reference import ReferenceProgram
from loopcell.backends.reference.scan import scanned_program
from loopcell.backends.triton import DeviceLimits, choose, kernel_sources
from loopcell.backends.triton.codegen.layout import forward_loop, reverse_loop
from loopcell.passes import build_program

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp16": torch.float16, "fp64": torch.float64}
CALLS = (
    (32, 64, 100),
    (64, 64, 100),
    (128, 64, 100),
    (256, 16, 100),
    (384, 4096, 100),
    (512, 256, 100),
    (1024, 16, 100),
    (1024, 256, 100),
    (2048, 16, 1),
)
"""(H, B, T): what fits on one processor, what is cut over many, what is streamed, what is a product a step."""


def cell_variants(name: str, dtype: str, device: Device) -> Iterator[Variant]:
    """Yield the kernels of one cell for a device; none for a cell whose loop is a scan, which has the scan's.

    Args:
        name: the cell, of the library.
        dtype: a name of DTYPES.
        device: whose limits decide.
    """
    cell = cells.get(name)
    program = build_program(cell.graph, training=True)
    if scanned_program(ReferenceProgram(program)) is not None:
        return
    limits = DeviceLimits(processors=device.processors, shared=device.shared)
    seen = set()
    for H, B, T in CALLS:
        sizes = cell.resolve_sizes(input_size=H, hidden_size=H, sizes=_further(cell.sizes, H))
        for loop in (forward_loop(program, saves=False), forward_loop(program, saves=True), reverse_loop(program)):
            choice = choose(loop, sizes, B, T, DTYPES[dtype].itemsize, limits)
            # A kernel that holds weights whole takes what its sizes are; what any other takes, its tiles decide.
            whole = choice.kind == "resident" or (choice.kind == "persistent" and choice.held)
            known = (loop.name, choice, H if whole else 0)
            if known in seen:
                continue
            seen.add(known)
            for source in kernel_sources(program, sizes, DTYPES[dtype], choice):
                if source.kernel.name == loop.name:
                    kind = f"{source.name} {choice.rows}x{choice.units}x{choice.depth}, H={H}"
                    yield Variant(
                        name, kind, dtype, source.function, source.kernel.source, source.signature, source.constants,
                        choice.options, aligned=source.attributes,
                    )  # fmt: skip


def _further(names: object, size: int) -> dict[str, int]:
    """Return sizes that a cell names besides: half of H."""
    return {name: size // 2 for name in ("proj", "rank") if name in names}  # type: ignore[operator]
