"""Spoken digits: 3,000 recordings of six speakers at 8 kHz; the official test part is what ends in _0 to _4.

Log-mel bands of 25 ms every 10 ms, read both ways. The speakers of the test part are those of the training part.
"""

from __future__ import annotations

from recipe import Result, main

from loopcell import SequenceClassifier
from loopcell.data import fetch

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "bidirectional": True,
    "pooling": "attention",
    "dropout": 0.3,
    "epochs": 25,
    "learning_rate": 3e-3,
    "patience": None,
}


def run(small: bool) -> Result:
    """Train on what ends in _5 to _49, score on the rest; logistic regression of summaries beside it."""
    paths = sorted(fetch("fsdd")["recordings"].glob("*.wav"))
    named = [(path, *path.stem.split("_")) for path in paths]
    learned = [(path, digit) for path, digit, _, number in named if int(number) > 4][:: 20 if small else 1]
    test = [(path, digit) for path, digit, _, number in named if int(number) <= 4]
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 2} if small else SETTINGS
    training = [path for path, _ in learned], [digit for _, digit in learned]
    model = SequenceClassifier(**settings, progress=True).fit(*training)
    table = model.evaluate([path for path, _ in test], [digit for _, digit in test], training=training)
    return Result(dict(table.model), table, settings, {"examples": {"training": len(learned), "test": len(test)}})


if __name__ == "__main__":
    main(run)
