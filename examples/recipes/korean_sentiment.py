"""Korean film reviews, good or bad: NSMC, 150,000 to learn from and 50,000 to be tested on, the official split.

Two networks read each review both ways: one in byte-level BPE pieces learned from the training part, which are near to
words, one in syllables and their 2- to 4-grams, which know of every ending and every slip of the finger. What counts is
the mean of their probabilities. The 8 reviews without a word are kept; every row of the test part counts.
"""

from __future__ import annotations

import time

import numpy as np
from recipe import Known, Result, main

from loopcell import ScoreTable, SequenceClassifier
from loopcell.data import fetch, read

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "embedding_size": 128,
    "bidirectional": True,
    "dropout": 0.5,
    "token_dropout": 0.1,
    "epochs": 5,
    "patience": 2,
    "batch_size": 128,
}
READERS = {
    "in pieces": {"tokens": "bpe", "vocabulary_size": 12000, "pooling": "attention"},
    "in syllables": {"tokens": "char", "vocabulary_size": 2500, "ngrams": 4, "embedding_size": 64, "pooling": "mean"},
}
KNOWN = Known("86.52% (BiLSTM over word2vec of POS-tagged words)", "github.com/MSWon/Sentimental-Analysis, README")


def run(small: bool) -> Result:
    """Train on the official training part, score on the test part; each network alone and n-grams beside the two."""
    files = fetch("nsmc")
    learned, test = (part(files[f"ratings_{name}.txt"], small) for name in ("train", "test"))
    smaller = {"hidden_size": 16, "vocabulary_size": 500, "epochs": 1} if small else {}
    rows: dict[str, dict[str, float]] = {"model": {}}
    probabilities, spent = [], {}
    for name, own in READERS.items():
        began = time.process_time()
        model = SequenceClassifier(**SETTINGS | own | smaller, progress=True).fit(*learned)
        spent[name] = round(time.process_time() - began, 1)
        probabilities.append(model.predict_proba(test[0]))
        found = model.evaluate(*test, training=learned if name == "in syllables" else None).rows
        rows |= {name if row == "model" else row: dict(figures) for row, figures in found.items()}
        print(f"{name}: accuracy {rows[name]['accuracy']:.4f} in {spent[name]} s of processor time")
    classes = model.targets_
    rows["model"] = classes.metrics(classes.numbers(test[1]), np.mean(probabilities, axis=0))
    table = ScoreTable(f"{len(test[0]):,} reviews (the model is both readers)", rows)
    facts = {"examples": {"training": len(learned[0]), "test": len(test[0])}, "processor seconds": spent}
    return Result(dict(table.model), table, {**SETTINGS, "readers": READERS}, {**facts, "notes": model.notes_})


def part(path: object, small: bool) -> tuple[list[str], list[str]]:
    """Return reviews and their labels; an empty cell is a review without a word."""
    X, y = read(path).load("document", "label")
    every = 100 if small else 1
    return [text or "" for text in X][::every], list(y)[::every]


if __name__ == "__main__":
    main(run, KNOWN)
