"""A score as a few lines that stand beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcell.cli.reporting import say
from loopcell.tasks.core.verdict import aligned, verdict_of

if TYPE_CHECKING:
    from loopcell.tasks import Score
    from loopcell.tasks.core.score_table import ScoreTable

UNITS = {"char": "characters", "byte": "bytes"}


def print_score(score: Score, text: str = "held-out text") -> None:
    """Print the model's figures beside those of counting and of a compressor.

    Args:
        score: the figures.
        text: what the scored text is called.
    """
    unit = score.facts.unit
    why = "pieces that training was never cut into" if score.kind == "bpe" else "never seen in training"
    unseen = f", {score.unseen:,} of them {why}" if score.unseen else ""
    say(f"{text}: {score.facts.units:,} {UNITS[unit]}, {score.tokens:,} tokens{unseen}")
    rows = {
        "model": (f"{score.nats:.4f}", f"{score.bits:.4f}", f"{score.perplexity:,.2f}"),
        "unigram": ("", f"{score.unigram_bits:.4f}", ""),
        "lzma": ("", f"{score.lzma_bits:.4f}", ""),
    }
    for line in aligned((f"nats/{unit}", f"bits/{unit}", "perplexity/token"), rows, narrow=10):
        say(line)


def print_verdict(score: Score) -> None:
    """Say whether a language model is better than counting and than a compressor."""
    bits, unit = {"unigram": score.unigram_bits, "lzma": score.lzma_bits}, score.facts.unit
    rows = {"model": {f"bits/{unit}": score.bits}, **{name: {f"bits/{unit}": value} for name, value in bits.items()}}
    verdict = verdict_of(rows)
    if verdict is not None:
        advice = "" if verdict.beaten else "; try more --epochs, another --lr, or more text"
        say(f"{verdict.sentence}{advice}")


def print_table(table: ScoreTable) -> None:
    """Print an estimator's figures beside those of the baselines."""
    for line in table.lines():
        say(line)
