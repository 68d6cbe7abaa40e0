"""A score as a few lines that stand beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcell.cli.reporting import say
from loopcell.tasks.core.verdict import aligned, number

if TYPE_CHECKING:
    from loopcell.tasks.core.score_table import ScoreTable


def print_score(score: ScoreTable, text: str = "held-out text") -> None:
    """Print the figures of a language model beside those of counting and of a compressor.

    Args:
        score: the figures.
        text: what the scored text is called.
    """
    say(f"{text}: {score.data}")
    metrics = list(score.model)
    rows = {name: [_figure(metric, row.get(metric)) for metric in metrics] for name, row in score.rows.items()}
    for line in aligned(metrics, rows, narrow=10):
        say(line)


def _figure(metric: str, value: float | None) -> str:
    """Return a figure as it is printed: a perplexity may be large."""
    return f"{value:,.2f}" if value is not None and metric.startswith("perplexity") else number(value)


def print_verdict(score: ScoreTable) -> None:
    """Say whether a language model is better than counting and than a compressor."""
    verdict = score.verdict()
    if verdict is not None:
        advice = "" if verdict.beaten else "; try more --epochs, another --lr, or more text"
        say(f"{verdict.sentence}{advice}")


def print_scores(table: ScoreTable, task: str) -> None:
    """Print what `evaluate` of a task's model gave."""
    if task == "language-model":
        print_score(table, "text")
    else:
        print_table(table)


def print_table(table: ScoreTable) -> None:
    """Print an estimator's figures beside those of the baselines."""
    for line in table.lines():
        say(line)
