"""Measured roofs: the same arithmetic as a bare product, and the time to read a network's weights once."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.comparison import Absent, Entry
from benchmarks.grid import GATES, Shape, flops
from loopcell.backends.c.launch.arguments import empty

SOURCE = Path(__file__).parent / "read_weights.c"
PRODUCT, CUBE = "one product", "one product of a cube"
READINGS = 20
"""In one call, so that what a call costs does not count."""
PASSES = {"forward": 1, "training": 3}
"""Products of the forward pass's size: backward, one to the inputs and states, one to the weights."""


def products(cell: str, sizes: Shape, job: str) -> list[Entry]:
    """Return all the multiplications of a pass as one product, in two forms: the roof is the faster one.

    The first stacks what the passes multiply, [passes * T * B, I + H] times [I + H, G * H]; the second is a cube of as
    many multiplications.
    """
    passes = PASSES[job]
    long = _product(PRODUCT, passes * sizes.T * sizes.B, sizes.I + sizes.H, GATES[cell] * sizes.H)
    edge = round((passes * flops(cell, sizes) / 2) ** (1 / 3))
    return [long, _product(CUBE, edge, edge, edge)]


def _product(name: str, rows: int, depth: int, columns: int) -> Entry:
    left, right, out = torch.randn(rows, depth), torch.randn(depth, columns), torch.empty(rows, columns)

    @torch.no_grad()
    def run() -> Tensor:
        return torch.mm(left, right, out=out)

    return Entry(name, run, dict)


def reading(weights: list[Tensor]) -> Entry | Absent:
    """Read all weights once, summing them up, in vectors as wide as the machine has."""
    name = "reading the weights"
    library = _library()
    if library is None:
        return Absent(name, "there is no C compiler")
    # A sum of numbers of both signs may be near 0, and then no error is small.
    copies = empty(torch.empty(0), (sum(weight.numel() for weight in weights),))  # as steppers have it, in huge pages
    torch.cat([weight.detach().float().flatten() for weight in weights], out=copies).abs_()

    def run() -> float:
        return float(library.sum_all(copies.data_ptr(), copies.numel(), READINGS))

    def observe() -> dict[str, Tensor]:
        return {"the sum": torch.tensor([run()])}

    return Entry(name, run, observe, {"the sum": READINGS * copies.double().sum().view(1)}, jobs=READINGS)


@cache
def _library() -> Any | None:
    """Compile the loop that reads; None without a compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "read_weights.so"
        # Not -ffast-math: a library linked with it makes the whole process round subnormal numbers to zero.
        sums = ["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"]
        flags = ["-O3", "-march=native", *sums, "-fPIC", "-shared"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(made)], check=True)
        library = ctypes.CDLL(str(made))
    library.sum_all.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
    library.sum_all.restype = ctypes.c_float
    return library
