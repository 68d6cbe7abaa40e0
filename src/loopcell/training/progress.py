"""What a run shows in a terminal: a bar while it works, and a line for every evaluation."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from loopcell.training.report import Report


class ProgressDisplay:
    """Observer that draws. Without a terminal there is no bar, only the lines.

    Args:
        console: where to.
        total: updates of the whole run.
        done: updates that are behind already.
    """

    def __init__(self, console: Console, total: int, done: int = 0) -> None:
        self._console = console
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, completed=done)
        self._before: Report | None = None

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it should be."""
        self._bar.stop()

    def observe(self, report: Report) -> None:
        """Move the bar, and print a line when the update came with an evaluation."""
        text = f"loss {report.loss:.3f}  {self._speed(report):,.0f}/s"
        self._bar.update(self._task, completed=report.update, description=text)
        if report.validation_loss is not None:
            best = "  (best)" if report.best else ""
            self._console.print(
                f"update {report.update}  epoch {report.epoch}  {report.seconds:.0f} s  "
                f"held-out loss {report.validation_loss:.4f}{best}",
                highlight=False,
            )

    def _speed(self, report: Report) -> float:
        """Predictions a second since the last report, or since the start."""
        before, self._before = self._before, report
        seconds = report.seconds - (before.seconds if before else 0.0)
        predictions = report.predictions - (before.predictions if before else 0)
        return predictions / seconds if seconds > 0 else 0.0
