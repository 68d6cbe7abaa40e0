"""How far learning has come, on standard error."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn


class Progress:
    """A bar of words, with their number a second and the learning rate.

    Args:
        total: words.
        shown: False shows nothing, and measures the time alone.

    Attributes:
        seconds: since it began.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), disable=not shown)
        self._task = self._bar.add_task("", total=total)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._stack.enter_context(self._bar)
        return self

    def __exit__(self, *what: object) -> None:
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.perf_counter() - self._began

    def show(self, done: int, rate: float) -> None:
        """Say how many words are done, and the learning rate."""
        speed = done / max(self.seconds, 1e-9)
        self._bar.update(self._task, completed=done, description=f"{speed:,.0f} words/s, rate {rate:.4f}")
