"""Pages: memory for large blocks in huge pages, where the system has them.

A block of many megabytes is new to the process at every call, and Linux gives it a page of 4 KB at a time, at the first
touch: that can take longer than what is computed on it. A huge page is 2 MB.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

from torch import Tensor

LARGE = 4 << 20
"""Bytes from which it is worth asking, as in NumPy."""
_HUGE_PAGE = 2 << 20
_MADV_HUGEPAGE = 14


def advise(tensor: Tensor) -> None:
    """Ask for huge pages for a tensor's memory, as far as whole ones lie in it; a contiguous tensor."""
    ask = _madvise()
    if ask is not None:
        start = -(-tensor.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        stop = (tensor.data_ptr() + tensor.nbytes) // _HUGE_PAGE * _HUGE_PAGE
        ask(start, stop - start, _MADV_HUGEPAGE)  # advice: where it cannot be taken, nothing changes


@cache
def _madvise() -> ctypes._NamedFuncPointer | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        ask = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    ask.argtypes, ask.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return ask
