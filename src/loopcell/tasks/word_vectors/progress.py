"""The progress of learning, on standard error."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

from loopcell.training.progress import Heartbeat


class Progress:
    """A bar of words, with their number per second and the learning rate; without a terminal a line every ten seconds.

    Args:
        total: words.
        shown: False shows nothing, and measures the time alone.

    Attributes:
        seconds: since it began.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        console = Console(stderr=True)
        self._bar = Bar(*columns, console=console, disable=not (shown and console.is_terminal))
        self._task = self._bar.add_task("", total=total)
        self._total, self._done, self._stack = total, 0, ExitStack()
        self._heartbeat = Heartbeat(console, self._line) if shown and not console.is_terminal else nullcontext()

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._stack.enter_context(self._bar)
        self._stack.enter_context(self._heartbeat)
        return self

    def __exit__(self, *what: object) -> None:
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.perf_counter() - self._began

    def show(self, done: int, rate: float) -> None:
        """Say how many words are done, and the learning rate."""
        self._done = done
        speed = done / max(self.seconds, 1e-9)
        self._bar.update(self._task, completed=done, description=f"{speed:,.0f} words/s, rate {rate:.4f}")

    def _line(self, seconds: float) -> str:
        return f"{self._done:,} of {self._total:,} words  {seconds:.0f} s"
