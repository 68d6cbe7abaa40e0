"""Ctrl-C and SIGTERM end a run after the update that is being made, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that a signal sets; a second signal does what it always did.

    Outside of the main thread signals cannot be caught, and the event stays unset.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    before = {int(number): signal.getsignal(number) for number in SIGNALS}

    def request(number: int, _: FrameType | None) -> None:
        requested.set()
        signal.signal(number, before[number])

    for number in SIGNALS:
        signal.signal(number, request)
    try:
        yield requested
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
