"""Surname to language: a sequence of characters in, one of 18 languages out.

The data have no official split. Names that are there twice are taken once, and a fifth of the distinct names is held
out; a name that several languages have is on one side only.
"""

from __future__ import annotations

from recipe import Result, main

from loopcell import SequenceClassifier
from loopcell.data import fetch, read, split_groups

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 256,
    "bidirectional": True,
    "dropout": 0.6,
    "weight_decay": 0.1,
    "epochs": 20,
    "batch_size": 128,
    "learning_rate": 4e-3,
    "validation_fraction": 0.0,
}


def run(small: bool) -> Result:
    """Train on four fifths of the names, score on the rest, n-grams beside it."""
    folder = fetch("names")["Korean.txt"].parent
    texts, languages = read(folder).load("text", "file")
    pairs = sorted({(text.strip(), language) for text, language in zip(texts, languages, strict=True)})
    pairs = pairs[:: 20 if small else 1]
    names, labels = [name for name, _ in pairs], [language for _, language in pairs]
    training, test = split_groups(names, 0.2, seed=0)
    learned = [names[i] for i in training], [labels[i] for i in training]
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 2} if small else SETTINGS
    model = SequenceClassifier(**settings, progress=True).fit(*learned)
    table = model.evaluate([names[i] for i in test], [labels[i] for i in test], training=learned)
    facts = {"examples": {"training": len(training), "test": len(test)}, "classes": len(model.classes_)}
    return Result(dict(table.model), table, settings, facts)


if __name__ == "__main__":
    main(run)
