"""Plan: the back end that runs a network, and the reason, so that a fall-back is never silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from loopcell.backends.c import Factors
from loopcell.runtime import on_triton
from loopcell.runtime.asked import refuse_fallback
from loopcell.runtime.dispatch import narrow_results, observer
from loopcell.runtime.half import widened_dtype
from loopcell.runtime.kernels import KernelRunner
from loopcell.runtime.obstacles import REFERENCE_ASKED_FOR, Obstacle
from loopcell.runtime.products import kernel_choice
from loopcell.runtime.routes import candidates, obstacle

_HIGHER = "gradients of gradients as PyTorch operations"

_RUNS = {
    "c": "generated kernels for the CPU, forward and backward",
    "native": "torch's own operator for these equations",
    "triton": "generated Triton kernels, forward and backward",
}


@dataclass(frozen=True)
class Plan:
    """The back end that will run a layer; `net.plan()` returns one for each.

    Attributes:
        cell: the cell's name.
        backend: "native", "triton", "c" or "reference", by the names that `loopcell.backend` takes.
        reason: why this one.
    """

    cell: str
    backend: str
    reason: str

    @property
    def fused(self) -> bool:
        """True where one kernel runs a whole sequence: a generated one, or torch's own."""
        return self.backend != "reference"

    def __str__(self) -> str:
        return f"{self.cell}: {self.backend} ({self.reason})"


def choose(runner: KernelRunner, device: torch.device, dtype: torch.dtype, results: torch.dtype | None = None) -> Plan:
    """Choose the back end for a cell on tensors of a device and dtype, as things stand now.

    Args:
        runner: the cell, with its sizes.
        device: of the tensors.
        dtype: of the tensors.
        results: the dtype of results; None: that of what is multiplied.

    Raises:
        UsageError: a back end is demanded, and cannot run.
    """
    cell = runner.programs.reference.program.cell.name
    found: list[tuple[str, Obstacle]] = []
    for name in candidates(device):
        stands = obstacle(name, device, dtype, runner)
        if stands is None:
            how = _how(name, device, dtype, results, found)
            kinds = f"{on_triton.kinds(runner, device, dtype)}; " if name == "triton" else ""
            return Plan(cell, name, f"{kinds}{how}")
        found.append((name, stands))
    return on_reference(cell, found or [("", REFERENCE_ASKED_FOR)])


def _how(
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    results: torch.dtype | None,
    tried: Sequence[tuple[str, Obstacle]],
) -> str:
    """Say how a back end runs, and what stood against those before it."""
    how, narrow = _RUNS[name], narrow_results(dtype, device)
    if name == "c":
        how += _products(widened_dtype(dtype), narrow)
    if narrow is not None:
        if name != "c":
            how += f"; computed in {str(narrow).removeprefix('torch.')}"
        how += f", results in {str(results or narrow).removeprefix('torch.')}"
    watcher = observer()
    if watcher is not None:
        how += f"; called as the operator loopcell::run, which {watcher} sees"
    return "; ".join([how, _HIGHER, *(f"not {other}: {stands.reason}" for other, stands in tried)])


_PRODUCTS = {
    Factors.FULL: "computed in float32",
    Factors.PAIRS: "products in bfloat16, sums in float32",
    Factors.TILES: "products in bfloat16 on tiles, sums in float32",
    Factors.SPLIT: "float32 products as three in bfloat16 on tiles, sums in float32",
}


def _products(dtype: torch.dtype, narrow: torch.dtype | None) -> str:
    """Say what kernels in C multiply and why; nothing of tensors that are multiplied as they are anyway."""
    choice = kernel_choice(dtype, narrow)
    if choice.factors is Factors.FULL and not (choice.why or narrow):
        return ""
    return f"; {_PRODUCTS[choice.factors]}{choice.why and f' ({choice.why})'}"


def on_reference(cell: str, found: Sequence[tuple[str, Obstacle]]) -> Plan:
    """Return the plan of a cell that runs on the reference path.

    Args:
        cell: its name.
        found: the back ends that were tried, each with what stands against it.

    Raises:
        UsageError: a back end is demanded.
    """
    refuse_fallback(found[0][1])
    reasons = [f"{name}: {stands.reason}" if len(found) > 1 else stands.reason for name, stands in found]
    return Plan(cell, "reference", f"plain PyTorch, step by step: {'; '.join(reasons)}")
