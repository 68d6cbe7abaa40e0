"""Progress on the console: in a terminal a bar, elsewhere a line every ten seconds; and a line for every evaluation."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loopcell.training.report import Report

SILENCE = 10.0  # seconds without a line after which nobody knows whether the work goes on


class Heartbeat:
    """Print a line whenever nothing was printed for ten seconds, from a thread of its own.

    Args:
        console: where to.
        text: says what to print, given the seconds since the start.
        silence: the most seconds without a line.
    """

    def __init__(self, console: Console, text: Callable[[float], str], silence: float = SILENCE) -> None:
        self._console, self._text, self._silence = console, text, silence
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._began = self._last = time.monotonic()

    def __enter__(self) -> Self:
        """Start watching."""
        self._began = self._last = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def printed(self) -> None:
        """Take note that a line was printed."""
        self._last = time.monotonic()

    def _beat(self) -> None:
        while not self._over.wait(max(0.0, self._last + self._silence - time.monotonic())):
            now = time.monotonic()
            if now - self._last >= self._silence:
                self._last = now
                self._console.print(self._text(now - self._began), highlight=False, markup=False, soft_wrap=True)


def working(console: Console | None, what: str) -> Heartbeat | nullcontext[None]:
    """Say every ten seconds that some work without a bar is going on; nothing where there is no console."""
    return nullcontext() if console is None else Heartbeat(console, lambda seconds: f"{what}: {seconds:.0f} s")


class ProgressDisplay:
    """Observer that draws. Without a terminal there is no bar, only the lines, one at least every ten seconds.

    The bar is the share of the run that is behind: of its updates, or of its time limit where that ends it sooner.

    Args:
        console: where to.
        total: updates of the whole run.
        done: updates that are behind already.
        time_limit: seconds of training after which the run ends; None for as long as it takes.
    """

    def __init__(self, console: Console, total: int, done: int = 0, time_limit: float | None = None) -> None:
        self._console, self._limit = console, time_limit or math.inf
        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.fields[place]}"),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0, place=f"{done}/{total}")
        self._bar.update(self._task, completed=done / total)
        self._before: Report | None = None
        self._heartbeat = Heartbeat(console, self._line)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start drawing."""
        self._stack.enter_context(self._bar)
        if not self._console.is_terminal:
            self._stack.enter_context(self._heartbeat)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it should be."""
        self._stack.close()

    def observe(self, report: Report) -> None:
        """Move the bar, and print a line when the update came with an evaluation."""
        text = f"loss {report.loss:.3f}  {self._speed(report):,.0f}/s"
        left, limited = self._left(report)
        place = f"{report.update}" if limited else f"{report.update}/{report.total_updates}"
        share = report.seconds / (report.seconds + left) if limited else report.update / report.total_updates
        self._bar.update(self._task, completed=share, place=place, description=text)
        if report.validation_loss is not None:
            best = "  (best)" if report.best else ""
            self._console.print(
                f"update {report.update}  epoch {report.epoch}  {report.seconds:.0f} s  "
                f"held-out loss {report.validation_loss:.4f}{best}",
                highlight=False,
            )
            self._heartbeat.printed()

    def _line(self, seconds: float) -> str:
        """Return the line that says how far the run is, for where there is no bar."""
        if self._before is None:
            return f"the first update: {seconds:.0f} s"
        last = self._before
        left, limited = self._left(last)
        total = "" if limited else f" of {last.total_updates}"
        return (
            f"update {last.update}{total}  epoch {last.epoch}  {seconds:.0f} s  loss {last.loss:.4f}  {left:.0f} s left"
        )

    def _left(self, report: Report) -> tuple[float, bool]:
        """Return the seconds that are left of the run by its pace so far, and whether a time limit is what ends it."""
        by_pace = report.seconds / report.update * (report.total_updates - report.update)
        by_limit = max(0.0, self._limit - report.seconds)
        return min(by_pace, by_limit), by_limit < by_pace

    def _speed(self, report: Report) -> float:
        """Return predictions per second since the last report, or since the start."""
        before, self._before = self._before, report
        seconds = report.seconds - (before.seconds if before else 0.0)
        predictions = report.predictions - (before.predictions if before else 0)
        return predictions / seconds if seconds > 0 else 0.0
