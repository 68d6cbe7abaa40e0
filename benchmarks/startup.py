"""Seconds from a cell's equations to its first result, in this process.

    python -m benchmarks.startup lstm training

Libraries are imported and PyTorch is warm before the clock starts; then the equations are read, the network is made,
code is generated, compiled or taken from the cache, loaded, and run. What comes out is compared with the reference
path afterwards.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import loopcell
import loopcell.layers  # the package brings its rooms when they are asked for: here, before the clock starts
from benchmarks.grid import Shape
from benchmarks.invented import invent

SIZES = Shape(20, 4, 16, 32)


def listed(name: str) -> Callable[[], loopcell.Cell]:
    """Return a cell of the library, its equations read anew."""
    return lambda: loopcell.Cell.from_json(loopcell.cells.get(name).to_json())


CELLS: dict[str, Callable[[], loopcell.Cell]] = {
    "invented": invent,
    **{name: listed(name) for name in ("lstm", "gru", "lstm_layer_norm")},
}


def forward(network: Any, x: Tensor) -> list[Tensor]:
    """Return the first output."""
    with torch.no_grad():
        return [network(x)[0]]


def training(network: Any, x: Tensor) -> list[Tensor]:
    """Return the first gradients."""
    return list(torch.autograd.grad(network(x)[0].square().sum(), list(network.parameters())))


JOBS = {"forward": forward, "training": training}


def first_result(cell: str, job: str) -> dict[str, Any]:
    """Measure; the result says which path ran and how far it was from the reference path."""
    make, do, x = CELLS[cell], JOBS[job], torch.randn(SIZES.T, SIZES.B, SIZES.I)
    training(torch.nn.GRU(SIZES.I, SIZES.H), x)
    started = time.perf_counter()
    network = loopcell.Recurrent(make(), SIZES.I, SIZES.H)
    found = do(network, x)
    seconds = time.perf_counter() - started
    with loopcell.backend("reference"):
        expected = do(network, x)
    error = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, expected, strict=True))
    return {"seconds": seconds, "path": network.plan()[0].backend, "error": error}


if __name__ == "__main__":
    print(json.dumps(first_result(*sys.argv[1:])))
