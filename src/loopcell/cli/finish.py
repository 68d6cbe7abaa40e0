"""What a run that ended tells its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from loopcell.cli.reporting import INTERRUPTED, say
from loopcell.cli.score_table import print_score

if TYPE_CHECKING:
    from rich.console import Console

    from loopcell.tasks import TrainedLanguageModel


def progress_console() -> Console:
    """Where progress is shown: standard error, so that standard output holds results only."""
    from rich.console import Console

    return Console(stderr=True)


def report(result: TrainedLanguageModel) -> None:
    """Say how a run ended, what it reached and where its files lie; exit code 130 for an interrupted one."""
    position, run = result.outcome.position, result.run
    say(f"{result.outcome.reason}: {position.update:,} updates in {position.seconds:,.0f} s")
    if result.outcome.reason == "interrupted":
        say(f"to go on: loopcell resume {run.path}")
        raise typer.Exit(INTERRUPTED)
    if result.score:
        print_score(result.score)
    say(f"model:  {run.model}")
    say(f"curve:  {run.metrics}")
    say(f"sample: loopcell sample {run.model}")
