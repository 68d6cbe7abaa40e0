"""English to French: the 142,787 pairs of Tatoeba, a fiftieth of them held out by their English sentence.

Many English sentences have several French ones; the split keeps them together, and each pair is scored on its own.
"""

from __future__ import annotations

from korean_english import SMALL, columns, translated
from recipe import Result, main

from loopcell.data import fetch

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 256,
    "embedding_size": 192,
    "tokens": "bpe",
    "vocabulary_size": 6000,
    "dropout": 0.2,
    "epochs": 4,
    "batch_size": 128,
    "validation_fraction": 0.02,
}


def run(small: bool) -> Result:
    """Train, and score what was held out; the source copied and the most frequent target beside it."""
    english, french = columns(fetch("eng-fra")["fra.txt"], 500 if small else 1)
    settings = {**SETTINGS, **SMALL, "vocabulary_size": 400} if small else SETTINGS
    return translated((english, french), english, 0.02, settings)


if __name__ == "__main__":
    main(run)
