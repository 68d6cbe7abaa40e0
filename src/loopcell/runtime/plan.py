"""Plan: the path that runs a network, and the reason, so that a fall-back is never silent."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from loopcell.runtime.dispatch import first_obstacle, kernel_products, narrow_results, observer


@dataclass(frozen=True)
class Plan:
    """The path of a cell on tensors of one device and dtype.

    Attributes:
        cell: the cell's name.
        path: "fused C" or "reference".
        reason: why this one.
    """

    cell: str
    path: str
    reason: str

    @property
    def fused(self) -> bool:
        """True where generated kernels run."""
        return self.path == "fused C"

    def __str__(self) -> str:
        return f"{self.cell}: {self.path} ({self.reason})"


def choose(cell: str, device: torch.device, dtype: torch.dtype, results: torch.dtype | None = None) -> Plan:
    """Choose the path for a cell on tensors of a device and dtype, as things stand now.

    Args:
        cell: its name.
        device: of the tensors.
        dtype: of the tensors.
        results: the dtype of results; None: that of what is multiplied.
    """
    reason = first_obstacle(device, dtype)
    if reason is not None:
        return Plan(cell, "reference", f"plain PyTorch, step by step: {reason}")
    narrow = narrow_results(dtype)
    how = ""
    if narrow is not None:
        products = "products in bfloat16, sums in float32" if kernel_products(narrow) else "computed in float32"
        how = f"; {products}, results in {str(results or narrow).removeprefix('torch.')}"
    watcher = observer()
    if watcher is not None:
        how += f"; called as the operator loopcell::run, which {watcher} sees"
    return Plan(cell, "fused C", f"generated kernels for the CPU, forward and backward{how}")
