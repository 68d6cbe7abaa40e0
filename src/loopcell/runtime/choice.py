"""The back end that is asked for, and what stands against running kernels: each obstacle in words, with its cure.

`backend("c")` demands kernels. Whatever would run as PyTorch operations then asks `refuse_fallback` first, with the
obstacle that stands in the way; under `backend("auto")` it goes on, and `net.plan()` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import torch

from loopcell.backends.c.toolchain.target import ADVICE
from loopcell.errors import UsageError

BACKENDS = ("auto", "c", "reference")
_chosen: ContextVar[str | None] = ContextVar("loopcell_backend", default=None)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Choose what runs the calls in a block, forward and backward.

    LOOPCELL_BACKEND names the back end for a whole process; it is read once.

    Args:
        name: "c" demands the generated C kernels, and a call that they cannot run raises a `UsageError` that says why.
            "reference" runs the equations as PyTorch operations, step by step. "auto", the default, runs kernels where
            they can run and the reference path elsewhere; `net.plan()` says which, and why.

    Raises:
        UsageError: there is no such back end.
    """
    _check(name)
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def asked_for() -> str:
    """Return the name of the back end that is asked for here and now."""
    return _chosen.get() or _of_the_process()


@cache
def _of_the_process() -> str:
    name = os.environ.get("LOOPCELL_BACKEND", "auto")
    _check(name)
    return name


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(f"there is no back end {name!r}; there are {', '.join(BACKENDS)}")


# -- what stands against kernels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Obstacle:
    """Something that stands against running kernels.

    Attributes:
        reason: what it is.
        cure: what a user can do who wants kernels, or who can do without.
    """

    reason: str
    cure: str


_WITHOUT = 'run this part with backend("auto") or backend("reference")'

REFERENCE_ASKED_FOR = Obstacle("it was asked for", 'ask for backend("auto") or backend("c")')
NO_COMPILER = Obstacle("there is no C compiler", ADVICE)
OTHER_DEVICE = Obstacle("the kernels are for the CPU", "move the network and its input to the CPU")
MIXED = Obstacle("the input, states and weights have several dtypes or devices", "convert them to one")
TORCH_FUNC = Obstacle("a torch.func transformation is at work", _WITHOUT)
FORWARD_MODE = Obstacle("forward-mode derivatives are at work", _WITHOUT)
HIGHER_ORDER = Obstacle("a gradient of a gradient is wanted (create_graph=True), which kernels do not give", _WITHOUT)


def other_dtype(dtype: torch.dtype) -> Obstacle:
    """Return the obstacle of a dtype for which there are no kernels."""
    kind = str(dtype).removeprefix("torch.")
    return Obstacle(f"there are no kernels for {kind}", "convert to float32, float64, bfloat16 or float16")


def other_tensor(kind: str) -> Obstacle:
    """Return the obstacle of a tensor that is more, or less, than numbers in memory."""
    return Obstacle(
        f"{kind} is no plain tensor in memory, and kernels read memory", f"pass plain tensors, or {_WITHOUT}"
    )


def observed_backward(observer: str) -> Obstacle:
    """Return the obstacle of an observer that is at work in the backward pass of a call that it has not seen."""
    return Obstacle(f"{observer} looks on during the backward pass", "call the network where it looks on, too")


def not_built(why: str) -> Obstacle:
    """Return the obstacle of kernels that the compiler did not build."""
    return Obstacle(f"no kernel could be built: {why}", _WITHOUT)


def refuse_fallback(obstacle: Obstacle, *, demanded: bool = False) -> None:
    """Raise where kernels are demanded; return where the reference path may run in their place.

    Args:
        obstacle: what stands against them.
        demanded: kernels were demanded earlier, such as in the forward pass of the gradient that is computed now.

    Raises:
        UsageError: kernels are demanded; the obstacle, and its cure.
    """
    if demanded or asked_for() == "c":
        raise UsageError(f'backend("c") demands kernels, and they cannot run: {obstacle.reason}; {obstacle.cure}')
