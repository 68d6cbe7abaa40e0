"""Large blocks of memory, in huge pages where the system has them.

A block of many megabytes is new to the process at every call, and Linux gives it a page of 4 KB at a time, at the first
touch: that can take longer than what is computed on it. A huge page is 2 MB.
"""

from __future__ import annotations

import ctypes
import math
import sys
from functools import cache

from torch import Tensor

_LARGE = 4 << 20
"""Bytes from which it is worth asking, as in NumPy."""
_HUGE_PAGE = 2 << 20
_MADV_HUGEPAGE = 14


def empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return new memory for a tensor of the dtype and device of another one."""
    tensor = like.new_empty(shape)
    size = math.prod(shape) * tensor.element_size()
    if size >= _LARGE and (advise := _advise()) is not None:
        start = -(-tensor.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        stop = (tensor.data_ptr() + size) // _HUGE_PAGE * _HUGE_PAGE
        advise(start, stop - start, _MADV_HUGEPAGE)  # advice: where it cannot be taken, nothing changes
    return tensor


@cache
def _advise() -> ctypes._NamedFuncPointer | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    advise.argtypes, advise.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return advise
