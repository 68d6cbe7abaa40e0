"""Which path runs a network, and why: a fall-back is never silent."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import cache

import torch
from torch import Tensor

from loopcell.backends.c import compiler
from loopcell.backends.c.toolchain.target import ADVICE, has_bf16
from loopcell.backends.direct import autocast_dtype, is_plain, is_traced, nothing_at_work, observer, transformation
from loopcell.errors import UsageError

BACKENDS = ("auto", "reference")
_chosen: ContextVar[str | None] = ContextVar("loopcell_backend", default=None)


@dataclass(frozen=True)
class Plan:
    """What will run.

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
        """Whether generated kernels run."""
        return self.path == "fused C"

    def __str__(self) -> str:
        return f"{self.cell}: {self.path} ({self.reason})"


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Choose the back end for the calls in a block: "auto", or "reference" for plain PyTorch.

    LOOPCELL_BACKEND names the one for a whole process; it is read once.

    Raises:
        UsageError: there is no such back end.
    """
    _check(name)
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def _asked_for() -> str:
    return _chosen.get() or _of_the_process()


@cache
def _of_the_process() -> str:
    name = os.environ.get("LOOPCELL_BACKEND", "auto")
    _check(name)
    return name


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(f"there is no back end {name!r}; there are {', '.join(BACKENDS)}")


class Route(Enum):
    """How one call runs.

    KERNELS: generated kernels are called directly, on the memory of the tensors.
    OPERATOR: the same kernels as the operator loopcell::run, for those who want to see operations.
    REFERENCE: the equations as PyTorch operations, step by step.
    """

    KERNELS = "kernels"
    OPERATOR = "operator"
    REFERENCE = "reference"


@cache
def _can_compile() -> bool:
    if compiler() is None:
        warnings.warn(
            f"loopcell found no C compiler and runs on plain PyTorch, several times slower: {ADVICE}", stacklevel=2
        )
    return compiler() is not None


_NARROW = (torch.bfloat16, torch.float16)
_CPU = torch.device("cpu")


def narrow_results(dtype: torch.dtype, device: torch.device = _CPU) -> torch.dtype | None:
    """Return what is multiplied where it is narrower than float32: half precision, autocast; None where it is not."""
    asked_for = autocast_dtype(device) if dtype == torch.float32 or dtype in _NARROW else None
    return asked_for or (dtype if dtype in _NARROW else None)


def kernel_products(narrow: torch.dtype | None) -> torch.dtype | None:
    """Return what kernels round numbers to before they multiply them, where results have a dtype; None: nothing.

    bfloat16 where the CPU multiplies it in one instruction; sums are float32. Everything else is computed in float32.
    """
    return narrow if narrow == torch.bfloat16 and has_bf16() else None


def may_fuse(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether kernels may run on tensors of a device and dtype, as things stand now."""
    return _first_obstacle(device, dtype) is None


def nothing_special() -> bool:
    """Say whether kernels may be called as they are: nobody watches, no autocast, no other back end is asked for."""
    return nothing_at_work() and not torch.is_autocast_enabled("cpu") and _asked_for() != "reference"


def route(tensors: Sequence[Tensor], others: Sequence[Tensor | None] = ()) -> Route:
    """Choose how a call on tensors runs, as things stand now.

    Args:
        tensors: the numbers that the call reads; the input first.
        others: what else it reads, such as lengths and resets.
    """
    device, dtype = tensors[0].device, tensors[0].dtype
    # PyTorch converts what it can; a kernel reads memory.
    alike = all(tensor.dtype == dtype and tensor.device == device for tensor in tensors)
    if not alike or _first_obstacle(device, dtype) is not None:
        return Route.REFERENCE
    special = [tensor for tensor in (*tensors, *others) if tensor is not None and not is_plain(tensor)]
    if not all(map(is_traced, special)):
        return Route.REFERENCE
    return Route.OPERATOR if special or observer() is not None else Route.KERNELS


def operator_runs(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether the operator may stand for a cell while torch.compile or torch.export reads the network."""
    return _obstacle_of_kernels(device, dtype) is None


# The compiler asks once. torch.compiler.assume_constant_result does just this, and imports the whole compiler for it.
operator_runs._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


def _first_obstacle(device: torch.device, dtype: torch.dtype) -> str | None:
    """Return what stands against running kernels here and now, be it directly or as the operator."""
    return _obstacle_of_kernels(device, dtype) or transformation()


def _obstacle_of_kernels(device: torch.device, dtype: torch.dtype) -> str | None:
    if _asked_for() == "reference":
        return "it was asked for"
    if device.type != "cpu":
        return "the kernels are for the CPU"
    if dtype not in (torch.float32, torch.float64, *_NARROW):
        return f"there are no kernels for {str(dtype).removeprefix('torch.')}"
    return None if _can_compile() else "there is no C compiler"


def choose(cell: str, device: torch.device, dtype: torch.dtype, results: torch.dtype | None = None) -> Plan:
    """Choose the path for a cell on tensors of a device and dtype, as things stand now.

    Args:
        cell: its name.
        device: of the tensors.
        dtype: of the tensors.
        results: the dtype of results; None: that of what is multiplied.
    """
    reason = _first_obstacle(device, dtype)
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
