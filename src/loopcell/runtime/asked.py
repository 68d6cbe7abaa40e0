"""Asked for: the back end that a block or a process asks for, and what becomes of a call that it cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import NoReturn

from loopcell.errors import UsageError
from loopcell.runtime.obstacles import Obstacle

BACKENDS = ("auto", "native", "triton", "c", "reference")

_DEMANDS = {
    "native": "torch's own operator, and it cannot run",
    "triton": "Triton kernels, and they cannot run",
    "c": "kernels, and they cannot run",
}
"""What each name demands, in the words of the error; the other two names demand nothing."""

_chosen: ContextVar[str | None] = ContextVar("loopcell_backend", default=None)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Choose what runs the calls in a block, forward and backward.

    LOOPCELL_BACKEND names the back end for a whole process; it is read once.

    Args:
        name: "native" demands torch's own operator (cuDNN on CUDA), for cells whose equations it has; "triton" the
            generated Triton kernels, "c" the generated C kernels. A call that they cannot run raises a `UsageError`
            that says why. "reference" runs the equations as PyTorch operations, step by step. "auto", the default,
            takes the first that can run: on the CPU "c", on other devices "native", then "triton"; else "reference".
            `net.plan()` says which, and why.

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


def demanded() -> str | None:
    """Return the back end that is demanded here and now; None where another one may run in its place."""
    name = asked_for()
    return name if name in _DEMANDS else None


@cache
def _of_the_process() -> str:
    name = os.environ.get("LOOPCELL_BACKEND", "auto")
    _check(name)
    return name


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(f"there is no back end {name!r}; there are {', '.join(BACKENDS)}")


def refuse(obstacle: Obstacle) -> NoReturn:
    """Raise where no back end can run.

    Raises:
        UsageError: the obstacle, and its cure.
    """
    raise UsageError(f"{obstacle.reason}; {obstacle.cure}")


def refuse_fallback(obstacle: Obstacle, *, earlier: str | None = None) -> None:
    """Raise where a back end is demanded; return where another one may run in its place.

    Args:
        obstacle: what stands against it.
        earlier: the back end that was demanded earlier, such as in the forward pass of the gradient that is computed
            now.

    Raises:
        UsageError: a back end is demanded; the obstacle, and its cure.
    """
    name = earlier or demanded()
    if name is not None:
        raise UsageError(f'backend("{name}") demands {_DEMANDS[name]}: {obstacle.reason}; {obstacle.cure}')
