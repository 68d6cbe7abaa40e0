"""Figure of word vectors: words that keep the same company come to lie in the same place."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.canvas import BLUE, INK, ORANGE, axes
from figures.figure import Figure, Numbers, Words
from loopcell import WordVectors

BESIDE = ((5, 4), (5, -11), (-32, -4))  # points from a word's place to its name, so that neighbours can be read
COMPANY = {
    "king": "crown throne rule",
    "queen": "crown throne rule",
    "apple": "tree sweet eat",
    "pear": "tree sweet eat",
}


def _measure() -> Numbers:
    drawn = np.random.default_rng(0)
    sentences = [" ".join(drawn.permutation([word, *near.split()])) for word, near in list(COMPANY.items()) * 80]
    model = WordVectors(
        vector_size=10, random_state=1, min_count=1, subsampling=0, learning_rate=0.1, progress=False
    ).fit(sentences)  # fmt: skip
    names = [*COMPANY, *dict.fromkeys(" ".join(COMPANY.values()).split())]
    vectors = np.stack([model.vector(name) for name in names]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {"words": names, "cosine": np.round(vectors @ vectors.T, 3).tolist()}


def _draw(numbers: Numbers, words: Words) -> Any:
    """Draw the two directions in which the vectors differ most, which follow from their cosines."""
    figure, axis = axes(2.8)
    cosine = np.array(numbers["cosine"])
    middle = np.eye(len(cosine)) - 1 / len(cosine)
    sizes, directions = np.linalg.eigh(middle @ cosine @ middle)
    places = directions[:, -2:][:, ::-1] * np.sqrt(sizes[-2:][::-1])
    places *= np.where(places[np.abs(places).argmax(0), [0, 1]] > 0, 1, -1)  # an eigenvector's sign is free
    for number, (name, place) in enumerate(zip(numbers["words"], places, strict=True)):
        asked = name in COMPANY
        colour = INK if not asked else (BLUE if number < 2 else ORANGE)
        axis.plot(*place, "o" if asked else ".", color=colour)
        axis.annotate(name, place, xytext=BESIDE[number % 2 if asked else (number - len(COMPANY)) % 3],
                      textcoords="offset points", color=colour)  # fmt: skip
    axis.set(xlabel=words("first direction"), ylabel=words("second direction"))
    axis.margins(0.15)
    return figure


WORD_VECTORS = Figure("word-vectors", _measure, _draw, ("cosine",), tolerance=0.5, quick=False)
