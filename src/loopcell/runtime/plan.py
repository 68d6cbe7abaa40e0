"""Plan: the back end that runs a network, and the reason, so that a fall-back is never silent."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from loopcell.backends.c import Factors
from loopcell.runtime.dispatch import first_obstacle, narrow_results, observer, refuse_fallback
from loopcell.runtime.obstacles import Obstacle
from loopcell.runtime.products import kernel_choice

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
    how = _products(dtype if narrow is None else torch.float32, narrow)
    if narrow is not None:
        how += f", results in {str(results or narrow).removeprefix('torch.')}"
    watcher = observer()
    if watcher is not None:
        how += f"; called as the operator loopcell::run, which {watcher} sees"
    return Plan(cell, "c", f"generated kernels for the CPU, forward and backward{how}; {_HIGHER}")


_PRODUCTS = {
    Factors.FULL: "computed in float32",
    Factors.PAIRS: "products in bfloat16, sums in float32",
    Factors.TILES: "products in bfloat16 on tiles, sums in float32",
    Factors.SPLIT: "float32 products as three in bfloat16 on tiles, sums in float32",
}


def _products(dtype: torch.dtype, narrow: torch.dtype | None) -> str:
    """Say what kernels multiply and why; nothing of tensors that are multiplied as they are anyway."""
    choice = kernel_choice(dtype, narrow)
    if choice.factors is Factors.FULL and not (choice.why or narrow):
        return ""
    return f"; {_PRODUCTS[choice.factors]}{choice.why and f' ({choice.why})'}"


def on_reference(cell: str, obstacle: Obstacle) -> Plan:
    """Return the plan of a cell that runs on the reference path.

    Raises:
        UsageError: kernels are demanded.
    """
    refuse_fallback(obstacle)
    return Plan(cell, "reference", f"plain PyTorch, step by step: {obstacle.reason}")
