"""Plan: the back end that runs a network, and the reason, so that a fall-back is never silent."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from loopcell.runtime.dispatch import first_obstacle, kernel_products, narrow_results, observer, refuse_fallback
from loopcell.runtime.obstacles import Obstacle

_HIGHER = "gradients of gradients as PyTorch operations"


@dataclass(frozen=True)
class Plan:
    """The back end that will run a layer; `net.plan()` returns one for each.

    Attributes:
        cell: the cell's name.
        backend: "c" or "reference", by the names that `loopcell.backend` takes.
        reason: why this one.
    """

    cell: str
    backend: str
    reason: str

    @property
    def fused(self) -> bool:
        """True where generated kernels run."""
        return self.backend != "reference"

    def __str__(self) -> str:
        return f"{self.cell}: {self.backend} ({self.reason})"


def choose(cell: str, device: torch.device, dtype: torch.dtype, results: torch.dtype | None = None) -> Plan:
    """Choose the back end for a cell on tensors of a device and dtype, as things stand now.

    Args:
        cell: its name.
        device: of the tensors.
        dtype: of the tensors.
        results: the dtype of results; None: that of what is multiplied.

    Raises:
        UsageError: kernels are demanded, and cannot run.
    """
    obstacle = first_obstacle(device, dtype)
    if obstacle is not None:
        return on_reference(cell, obstacle)
    narrow = narrow_results(dtype)
    how = ""
    if narrow is not None:
        products = "products in bfloat16, sums in float32" if kernel_products(narrow) else "computed in float32"
        how = f"; {products}, results in {str(results or narrow).removeprefix('torch.')}"
    watcher = observer()
    if watcher is not None:
        how += f"; called as the operator loopcell::run, which {watcher} sees"
    return Plan(cell, "c", f"generated kernels for the CPU, forward and backward{how}; {_HIGHER}")


def on_reference(cell: str, obstacle: Obstacle) -> Plan:
    """Return the plan of a cell that runs on the reference path.

    Raises:
        UsageError: kernels are demanded.
    """
    refuse_fallback(obstacle)
    return Plan(cell, "reference", f"plain PyTorch, step by step: {obstacle.reason}")
