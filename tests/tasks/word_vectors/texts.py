"""A small text with a right answer: animals stand among some words, foods among others, and numbers among none."""

from __future__ import annotations

import numpy as np

ANIMALS, FOODS = ("cat", "dog", "horse", "cow"), ("bread", "cheese", "apple", "soup")
AROUND = {ANIMALS: ("runs", "sleeps", "barks", "home"), FOODS: ("tastes", "hot", "plate", "eaten")}


def sentences(count=300, seed=0):
    drawn = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        group = (ANIMALS, FOODS)[drawn.integers(2)]
        words = [str(drawn.choice(group)), *map(str, drawn.choice(AROUND[group], 4))]
        found.append(" ".join(drawn.permutation(words).tolist()))
    return found


# Quick to learn on the reference path.
QUICK = {"vector_size": 12, "window": 4, "min_count": 1, "subsampling": 0, "epochs": 4, "learning_rate": 0.1}
QUICK["random_state"] = 1
