"""OwnLock: what lets one thread at a time at the memory of a stream."""

from __future__ import annotations

from threading import RLock
from types import TracebackType
from typing import Any


class OwnLock:
    """A lock that its thread may take again; a copy, or what a pickle gives, is another one."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        """Wait until no other thread has it."""
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next thread have it."""
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a copy is made of: nothing."""
        return OwnLock, ()
