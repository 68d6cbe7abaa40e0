"""Which path runs a network, and why: a fall-back is never silent."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import torch

from loopcell.backends.c import compiler
from loopcell.backends.c.target import ADVICE, has_bf16
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

    LOOPCELL_BACKEND names the one for a whole process.

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
    name = _chosen.get() or os.environ.get("LOOPCELL_BACKEND", "auto")
    if name not in BACKENDS:
        _check(name)
    return name


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(f"there is no back end {name!r}; there are {', '.join(BACKENDS)}")


def _transformed() -> bool:
    """Say whether torch.func (vmap, grad, jacrev, ...) is at work; torch has no public word for it."""
    return torch._C._functorch.peek_interpreter_stack() is not None  # noqa: SLF001


@cache
def _can_compile() -> bool:
    if compiler() is None:
        warnings.warn(
            f"loopcell found no C compiler and runs on plain PyTorch, several times slower: {ADVICE}", stacklevel=2
        )
    return compiler() is not None


_NARROW = (torch.bfloat16, torch.float16)


def narrow_results(dtype: torch.dtype) -> torch.dtype | None:
    """Return the dtype of results where kernels compute in float32 for narrower ones: half precision, autocast."""
    if dtype in _NARROW:
        return dtype
    if dtype == torch.float32 and torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return None


def kernel_products(narrow: torch.dtype | None) -> torch.dtype | None:
    """Return what kernels round numbers to before they multiply them, where results have a dtype; None: nothing.

    bfloat16 where the CPU multiplies it in one instruction; sums are float32. Everything else is computed in float32.
    """
    return narrow if narrow == torch.bfloat16 and has_bf16() else None


def may_fuse(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether kernels may run on tensors of a device and dtype, as things stand now."""
    return _first_obstacle(device, dtype) is None


def nothing_special() -> bool:
    """Say whether kernels run as they are: no autocast, no transformation, no other back end."""
    return not (torch.is_autocast_enabled("cpu") or _transformed() or _asked_for() == "reference")


def operator_runs(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether the operator may stand for a cell while torch.compile or torch.export reads the network."""
    return _obstacle_of_kernels(device, dtype) is None


# The compiler asks once. torch.compiler.assume_constant_result does just this, and imports the whole compiler for it.
operator_runs._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


def _first_obstacle(device: torch.device, dtype: torch.dtype) -> str | None:
    """Return what stands against calling fused kernels here and now."""
    reason = _obstacle_of_kernels(device, dtype)
    if reason is None and _transformed():
        return "a torch.func transformation is at work"
    return reason


def _obstacle_of_kernels(device: torch.device, dtype: torch.dtype) -> str | None:
    if _asked_for() == "reference":
        return "it was asked for"
    if device.type != "cpu":
        return "the kernels are for the CPU"
    if dtype not in (torch.float32, torch.float64, *_NARROW):
        return f"there are no kernels for {str(dtype).removeprefix('torch.')}"
    return None if _can_compile() else "there is no C compiler"


def choose(cell: str, device: torch.device, dtype: torch.dtype) -> Plan:
    """Choose the path for a cell on tensors of a device and dtype, as things stand now."""
    reason = _first_obstacle(device, dtype)
    if reason is not None:
        return Plan(cell, "reference", f"plain PyTorch, step by step: {reason}")
    narrow = narrow_results(dtype)
    how = ""
    if narrow is not None:
        products = "products in bfloat16, sums in float32" if kernel_products(narrow) else "computed in float32"
        how = f"; {products}, results in {str(narrow).removeprefix('torch.')}"
    return Plan(cell, "fused C", f"generated kernels for the CPU, forward and backward{how}")
