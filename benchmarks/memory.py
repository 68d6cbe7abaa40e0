"""Peak memory of one network in this process: how far resident memory rises above what stood before the pass.

    python -m benchmarks.memory loopcell lstm 100,32,128,256 training

Resident memory counts what everybody takes, from PyTorch's allocator or from elsewhere, so it is fair to both sides. A
process of its own knows nothing of the other side; everything is loaded and compiled on a few steps before the count
starts; and malloc gives every large block back to the system when it is freed (`ENVIRONMENT`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.grid import shape
from benchmarks.peers import loopcell as ours
from benchmarks.task import Task, make_task

ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
SYSTEMS: dict[str, Callable[[Task], Any]] = {"loopcell": ours.network_for, "torch.nn": lambda task: task.module}


def forward(network: Any, x: Tensor, _: Tensor) -> list[Tensor]:
    """Run forward without gradients."""
    with torch.no_grad():
        return [network(x)[0]]


def training(network: Any, x: Tensor, cotangent: Tensor) -> list[Tensor]:
    """Run forward and backward, gradients left on the parameters and on the input, as an optimiser finds them."""
    network.zero_grad(set_to_none=True)
    x = x.detach().requires_grad_()
    y = network(x)[0]
    y.backward(cotangent)
    return [y.detach(), *(leaf.grad for leaf in (x, *network.parameters()))]


JOBS = {"forward": forward, "training": training}


def peak(system: str, cell: str, sizes: str, job: str) -> dict[str, Any]:
    """Measure.

    Returns:
        The bytes, and the norm of everything that was computed, by which two systems can be compared.
    """
    task = make_task(cell, shape(sizes))
    network, do = SYSTEMS[system](task), JOBS[job]
    few = slice(0, 2)
    do(network, task.x[few], task.cotangent[few])
    network.zero_grad(set_to_none=True)
    before = _resident()
    _forget_peak()
    do(network, task.x, task.cotangent)  # what it returns is given up, and the next pass finds what else it has left
    made = do(network, task.x, task.cotangent)
    highest = _status("VmHWM")
    return {"bytes": highest - before, "norms": [tensor.double().norm().item() for tensor in made]}


def available() -> str:
    """Return why it cannot be measured here; nothing if it can."""
    return "" if Path("/proc/self/clear_refs").exists() else "peak memory is read from Linux's /proc"


def _resident() -> int:
    return _status("VmRSS")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(field: str) -> int:
    """Return a field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    print(json.dumps(peak(*sys.argv[1:])))
