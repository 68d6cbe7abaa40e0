"""Korean word spacing: from a review written without spaces, where each word begins.

The text is NSMC's. Each character is tagged as a word's first (B-W) or a further one (I-W), so the F1 of entities is
that of whole words. The writers of reviews space as they like, so nobody reaches 1.
"""

from __future__ import annotations

from recipe import Result, main

from loopcell import SequenceTagger
from loopcell.data import fetch, read

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "embedding_size": 128,
    "bidirectional": True,
    "dropout": 0.3,
    "epochs": 4,
    "patience": None,
    "batch_size": 64,
}
TRAINING, TEST = 60_000, 10_000


def run(small: bool) -> Result:
    """Learn from the training part, tag the test part; each character between its neighbours beside it."""
    files = fetch("nsmc")
    learned = spaced(files["ratings_train.txt"], TRAINING // (100 if small else 1))
    test = spaced(files["ratings_test.txt"], TEST // (100 if small else 1))
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 1} if small else SETTINGS
    model = SequenceTagger(**settings, progress=True).fit(*learned)
    table = model.evaluate(*test, training=learned)
    sample = test[0][0]
    words = "".join(
        (" " if tag == "B-W" else "") + letter for letter, tag in zip(sample, model.predict([sample])[0], strict=True)
    )
    print(f"{sample}  ->  {words.strip()}")
    facts = {"examples": {"training": len(learned[0]), "test": len(test[0])}, "sample": [sample, words.strip()]}
    figures = {"word F1": table.model["entity F1"], "accuracy of characters": table.model["accuracy"]}
    return Result(figures, table, settings, facts)


def spaced(path: object, count: int) -> tuple[list[str], list[list[str]]]:
    """Return texts without their spaces, and the tag of each character; texts of at least two words."""
    texts, tags = [], []
    for review in read(path).column("document"):
        words = (review or "").split()
        if len(words) > 1 and len(texts) < count:
            texts.append("".join(words))
            tags.append([tag for word in words for tag in ["B-W", *["I-W"] * (len(word) - 1)]])
    return texts, tags


if __name__ == "__main__":
    main(run)
