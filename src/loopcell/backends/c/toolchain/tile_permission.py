"""Permission: Linux gives a process the registers of AMX, 8 KB a thread, only when it asks."""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache

_SYS_ARCH_PRCTL = 158  # on x86-64
_ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA = 0x1023, 18


@cache
def granted() -> bool:
    """Ask for permission to use tiles, once a process; say whether it was given.

    It holds for all threads and for processes that are forked off. The system refuses where it or the CPU has no tiles,
    and where a thread has a signal stack that is too small to save them on.
    """
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return False
    try:
        ask = ctypes.CDLL(None).syscall
    except (OSError, AttributeError):
        return False
    ask.restype, ask.argtypes = ctypes.c_long, (ctypes.c_long, ctypes.c_long, ctypes.c_long)
    return bool(ask(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) == 0)
