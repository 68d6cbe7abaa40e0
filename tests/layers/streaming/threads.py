"""Threads that share what must not be shared without a lock."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

THREADS = 8


def in_threads(work):
    """Call `work(number)` in as many threads at once, which take turns as often as may be; raise what any raised."""
    ready = threading.Barrier(THREADS)

    def one(number):
        ready.wait()
        work(number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, range(THREADS)))
    finally:
        sys.setswitchinterval(before)
