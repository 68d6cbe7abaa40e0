"""Korean to English: the 3,798 pairs of Tatoeba, a tenth of them held out by their English sentence.

So few pairs teach a network little more than the sentences that come again and again; the figures say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recipe import Models, Result, main

from loopcell import ScoreTable, Seq2Seq
from loopcell.data import Delimited, fetch, read, split_groups

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 192,
    "embedding_size": 96,
    "tokens": "jamo",
    "target_tokens": "bpe",
    "target_vocabulary_size": 1500,
    "dropout": 0.4,
    "epochs": 20,
    "batch_size": 32,
}
SMALL = {"hidden_size": 16, "embedding_size": 16, "epochs": 1, "beam": 2, "max_length": 20}


def run(small: bool) -> Result:
    """Train, and score what was held out; the source copied and the most frequent target beside it."""
    english, korean = columns(fetch("kor-eng")["kor.txt"], 20 if small else 1)
    return translated((korean, english), english, 0.1, {**SETTINGS, **SMALL} if small else SETTINGS)


def columns(path: Path, every: int) -> tuple[list[str], list[str]]:
    """Return the first two columns of a file of Tatoeba."""
    left, right = read(path, kind=Delimited("\t", header=False)).load("column_1", "column_2")
    return list(left)[::every], list(right)[::every]


def translated(
    pairs: tuple[list[str], list[str]], english: list[str], share: float, settings: dict[str, Any]
) -> Result:
    """Train on one side of a split by English sentences, and score the other side."""
    training, test = split_groups(english, share, seed=0)
    learned, rest = (tuple([side[at] for at in part] for side in pairs) for part in (training, test))
    model, _ = Models.fitted(Seq2Seq(**settings, progress=True), *learned)
    table = model.evaluate(*rest, training=learned)
    chosen = range(0, len(test), max(1, len(test) // 20))
    written = model.predict([rest[0][at] for at in chosen])
    samples = [
        {"source": rest[0][at], "target": rest[1][at], "written": text}
        for at, text in zip(chosen, written, strict=True)
    ]
    facts = {"samples": samples, "pairs": {"training": len(training), "test": len(test)}}
    return Result(dict(table.model), ScoreTable(table.data, table.rows), settings, facts)


if __name__ == "__main__":
    main(run)
