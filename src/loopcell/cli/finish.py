"""The report of a run that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from loopcell.cli.advice import in_flags
from loopcell.cli.reporting import INTERRUPTED, say, say_notes
from loopcell.cli.score_table import print_score, print_table, print_verdict
from loopcell.tasks.core.verdict import UNKNOWN

if TYPE_CHECKING:
    from loopcell.tasks.core.from_files.run import TrainedEstimator
    from loopcell.training.loop import Outcome
    from loopcell.training.run_folder import RunFolder


def report_language_model(result: TrainedEstimator) -> None:
    """Say how a run ended, what it reached and where its files lie; exit code 130 for an interrupted one."""
    say_notes(result.notes)
    _ending(result.estimator.outcome_, result.run)
    if result.score:
        print_score(result.score)
        print_verdict(result.score)
    else:
        say(UNKNOWN)
    _places(result.run)
    say(f"seed:   {result.estimator.random_state_}")
    say(f"sample: loopcell sample {result.run.model}")


def report_estimator(result: TrainedEstimator) -> None:
    """Return the same of an estimator: notes on the data, the held-out part beside baselines, the files."""
    say_notes(result.notes)
    _ending(result.estimator.outcome_, result.run)
    if result.score:
        say("held out, to choose the best weights by:")
        print_table(result.score)
    say(in_flags(result.verdict()))
    _places(result.run)
    say(f"seed:   {result.estimator.random_state_}")
    say(f"predict: loopcell predict {result.run.model} FILE")


def report_vectors(result: Any) -> None:
    """Return the same of word vectors; what was learned before an interruption is kept, and exit code 130 says so."""
    say_notes(result.notes)
    outcome, words = result.estimator.outcome_, len(result.estimator.words_)
    say(f"{outcome.reason}: {words:,} words, learned from {outcome.words:,} in {outcome.seconds:,.0f} s")
    if result.score:
        print_table(result.score)
    say(f"model:  {result.run.model}")
    say(f"seed:   {result.estimator.random_state_}")
    say(f"nearest words: loopcell predict {result.run.model} WORDS.txt")
    if outcome.reason == "interrupted":
        raise typer.Exit(INTERRUPTED)


REPORTS = {"language-model": report_language_model, "word-vectors": report_vectors}
"""By the task; others are told of by `report_estimator`."""


def report(result: TrainedEstimator) -> None:
    """Say what came of a run."""
    REPORTS.get(result.estimator.task, report_estimator)(result)


def _ending(outcome: Outcome, run: RunFolder) -> None:
    position = outcome.position
    updates = "update" if position.update == 1 else "updates"
    say(f"{outcome.reason}: {position.update:,} {updates} in {position.seconds:,.0f} s")
    if outcome.reason == "interrupted":
        say(f"to go on: loopcell resume {run.path}")
        raise typer.Exit(INTERRUPTED)


def _places(run: RunFolder) -> None:
    say(f"model:  {run.model}")
    say(f"curve:  {run.metrics}")
