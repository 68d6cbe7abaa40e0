"""A score as a few lines that stand beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcell.cli.reporting import say

if TYPE_CHECKING:
    from loopcell.tasks import Score
    from loopcell.tasks.scores import ScoreTable

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
    say(f"{'':10}{f'nats/{unit}':>12}{f'bits/{unit}':>12}{'perplexity/token':>18}")
    rows = (
        ("model", f"{score.nats:.4f}", f"{score.bits:.4f}", f"{score.perplexity:.2f}"),
        ("unigram", "", f"{score.unigram_bits:.4f}", ""),
        ("lzma", "", f"{score.lzma_bits:.4f}", ""),
    )
    for name, nats, bits, perplexity in rows:
        say(f"{name:10}{nats:>12}{bits:>12}{perplexity:>18}".rstrip())


def print_table(table: ScoreTable) -> None:
    """Print an estimator's figures beside those of the baselines."""
    for line in table.lines():
        say(line)
