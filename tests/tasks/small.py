"""Small problems with a right answer, each learned in about a second, and what else tests of estimators share."""

from __future__ import annotations

import numpy as np

# A quick network and a quick run.
QUICK = {
    "cell": "gru",
    "hidden_size": 16,
    "embedding_size": 8,
    "batch_size": 32,
    "learning_rate": 2e-2,
    "warmup": 5,
    "device": "cpu",
    "random_state": 1,
}


def words(count=120, seed=0):
    """Strings over "ab", and whether they end as they begin: "same" or "other"."""
    drawn = np.random.default_rng(seed)
    X = ["".join(drawn.choice(list("ab"), drawn.integers(1, 9))) for _ in range(count)]
    return X, ["same" if text[0] == text[-1] else "other" for text in X]


def waves(count=120, seed=0):
    """Arrays [T, 2] of noise around 0 or 1, and the rounded level of the second number: 0 or 1."""
    drawn = np.random.default_rng(seed)
    levels = drawn.integers(0, 2, count)
    X = [drawn.normal((0, level), 0.5, (drawn.integers(1, 9), 2)).astype(np.float32) for level in levels]
    return X, levels


def parities(count=120, seed=0):
    """Strings over "ab", and after each step whether the number of a's so far is even or odd."""
    X, _ = words(count, seed)
    return X, [["odd" if text[: at + 1].count("a") % 2 else "even" for at in range(len(text))] for text in X]


def reversals(count=300, seed=0):
    """Strings over "abcd", and the same backwards in capitals."""
    drawn = np.random.default_rng(seed)
    X = ["".join(drawn.choice(list("abcd"), drawn.integers(1, 6))) for _ in range(count)]
    return X, [text[::-1].upper() for text in X]


def put(*names, value):
    """Return a change of a model file: what stands at these names among its facts becomes the value."""

    def change(facts, tensors):
        place = facts
        for name in names[:-1]:
            place = place[name]
        place[names[-1]] = value

    return change
