"""Threads: the pool that PyTorch itself uses, and one thread in a process that was forked off one that used it."""

from __future__ import annotations

import ctypes
import os
from array import array
from functools import cache
from pathlib import Path

import torch


class _Pool:
    """The state of the thread pool in this process.

    Attributes:
        used: kernels have started its threads, here or before a fork.
        lost: there was a fork since. The child has a copy of the pool without its threads, and would wait for them for
            ever.
    """

    used = False
    lost = False


def granted(wanted: int) -> int:
    """Return how many threads a kernel may have of those that it wants: all, or 1 where nothing starts threads."""
    if wanted <= 1 or _Pool.lost or entry() is None:
        return 1
    _Pool.used = True
    return wanted


_NAMES = ("GOMP_parallel", "omp_get_num_threads", "omp_get_thread_num")
"""What the struct `pool` of headers/rows.h holds, in order."""


@cache
def entry() -> int | None:
    """Return the address of a struct `pool` (headers/rows.h), or None.

    Its functions are those of the OpenMP runtime that PyTorch runs on: so there is one pool, and
    `torch.set_num_threads` and OMP_NUM_THREADS hold.
    """
    functions = _functions()
    return None if functions is None else functions.buffer_info()[0]


@cache
def _functions() -> array[int] | None:
    # The process as a whole first: where PyTorch finds the names itself, also those that LD_PRELOAD put before its own.
    beside_torch = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    for library in (None, *map(str, beside_torch)):
        try:
            loaded = ctypes.CDLL(library)
            return array("q", [ctypes.cast(loaded[name], ctypes.c_void_p).value or 0 for name in _NAMES])
        except (OSError, AttributeError, TypeError):  # Windows has no "process as a whole"
            continue
    return None


def _after_fork() -> None:
    """Forget the pool in the child first: PyTorch's own operations would wait for the lost threads as well."""
    if _Pool.used:
        _Pool.lost = True
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
