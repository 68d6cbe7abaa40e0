"""Korean film reviews, good or bad: NSMC, 150,000 to learn from and 50,000 to be tested on, the official split.

Byte-level BPE pieces of the training part, read both ways. The 8 reviews without a word are kept; every row of the test
part counts.
"""

from __future__ import annotations

from recipe import Known, Result, main

from loopcell import SequenceClassifier
from loopcell.data import fetch, read

SETTINGS = {
    "cell": "gru",
    "tokens": "bpe",
    "vocabulary_size": 16000,
    "embedding_size": 128,
    "bidirectional": True,
    "pooling": "attention",
    "dropout": 0.5,
    "epochs": 4,
    "patience": None,
    "batch_size": 128,
}
KNOWN = Known(
    "86.52% (BiLSTM over word2vec of POS-tagged words), 83.52% (CNN)",
    "github.com/e9t/nsmc and its followers, from memory; not checked",
)


def run(small: bool) -> Result:
    """Train on the official training part, score on the test part, logistic regression of n-grams beside it."""
    files = fetch("nsmc")
    learned, test = (part(files[f"ratings_{name}.txt"], small) for name in ("train", "test"))
    settings = {**SETTINGS, "hidden_size": 16, "vocabulary_size": 500, "epochs": 1} if small else SETTINGS
    model = SequenceClassifier(**settings, progress=True).fit(*learned)
    table = model.evaluate(*test, training=learned)
    facts = {"examples": {"training": len(learned[0]), "test": len(test[0])}, "notes": model.notes_}
    return Result(dict(table.model), table, settings, facts)


def part(path: object, small: bool) -> tuple[list[str], list[str]]:
    """Reviews and their labels; an empty cell is a review without a word."""
    X, y = read(path).load("document", "label")
    every = 100 if small else 1
    return [text or "" for text in X][::every], list(y)[::every]


if __name__ == "__main__":
    main(run, KNOWN)
