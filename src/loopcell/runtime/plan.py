"""Which path runs a network, and why: a fall-back is never silent."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import torch

from loopcell.backends.c import compiler
from loopcell.backends.c.target import ADVICE
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


# What stands against fused kernels, in the order in which it is asked. torch.compile comes first: it reads the
# questions too, and must find nothing after this one.
_OBSTACLES: tuple[tuple[Callable[[torch.device, torch.dtype], bool], str], ...] = (
    (lambda device, dtype: torch.compiler.is_compiling(), "torch.compile is reading the network"),
    (lambda device, dtype: _asked_for() == "reference", "it was asked for"),
    (lambda device, dtype: device.type != "cpu", "the kernels are for the CPU"),
    (lambda device, dtype: dtype not in (torch.float32, torch.float64), "the kernels are for float32 and float64"),
    (lambda device, dtype: torch.is_autocast_enabled("cpu"), "autocast is on"),
    (lambda device, dtype: _transformed(), "a torch.func transformation is at work"),
    (lambda device, dtype: not _can_compile(), "there is no C compiler"),
)


def choose(cell: str, device: torch.device, dtype: torch.dtype) -> Plan:
    """Choose the path for a cell on tensors of a device and dtype, as things stand now."""
    for against, reason in _OBSTACLES:
        if against(device, dtype):
            return Plan(cell, "reference", f"plain PyTorch, step by step: {reason}")
    return Plan(cell, "fused C", "generated kernels for the CPU, forward and backward")
