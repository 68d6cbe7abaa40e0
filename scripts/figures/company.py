"""Figures of meaning: words of the same company lie in one place, and a word of two meanings in two."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from figures.canvas import BLUE, INK, ORANGE, axes
from figures.figure import Figure, Numbers, Words
from loopcell import SequenceTagger, WordVectors

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
    axis.margins(0.2)
    return figure


# A word of two meanings, and for each what may stand before it and after it.
HOMONYMS = {
    "bank": (
        ("we fished from the", "reeds along the", "the river and its", "boats at the"),
        ("she borrowed from the", "money in the", "the loan of the", "clerks of the"),
        ("where water rose", "under willows"),
        ("before it closed", "at high rates"),
    ),
    "배": (
        ("시장에서 산", "껍질을 깎은", "달고 시원한", "나무에서 딴"),
        ("항구에 닿은", "바다로 떠난", "돛을 올린", "파도에 흔들린"),
        ("를 먹었다", "가 잘 익었다"),
        ("를 탔다", "가 천천히 나아갔다"),
    ),
}
OPENINGS = {
    "bank": ("yesterday", "they say", "once more", "in the end", "we know that"),
    "배": ("어제", "지난주에", "아버지가", "동생이", "우리가"),
}


def _states(word: str) -> dict[str, Any]:
    """Train a network to say the next word; return its states at the homonym, in two dimensions, by meaning.

    The states are those of beginnings that were held out: one of the five openings of each phrase.
    """
    firsts, seconds, after_first, after_second = HOMONYMS[word]
    heads: dict[bool, list[tuple[int, list[str]]]] = {True: [], False: []}
    texts = []
    for meaning, (befores, afters) in enumerate(((firsts, after_first), (seconds, after_second))):
        for (row, opening), (column, before) in itertools.product(enumerate(OPENINGS[word]), enumerate(befores)):
            head, held_out = [*opening.split(), *before.split(), word], row == column
            heads[held_out].append((meaning, head))
            texts += [] if held_out else [[*head, *after.split(), "."] for after in afters]
    model = SequenceTagger(
        cell="gru", hidden_size=24, embedding_size=12, epochs=40, learning_rate=2e-2, warmup=5, batch_size=16,
        patience=None, random_state=1, progress=False,
    ).fit(texts, [[*text[1:], "."] for text in texts])  # fmt: skip
    seen, new = (
        np.stack([model.inspect(head)["h"][0][-1] for _, head in heads[held_out]]).astype(np.float64)
        for held_out in (False, True)
    )
    centres = np.stack([seen[[m == meaning for m, _ in heads[False]]].mean(0) for meaning in (0, 1)])
    meanings = [meaning for meaning, _ in heads[True]]
    middle, between = centres.mean(0), centres[1] - centres[0]
    between /= np.linalg.norm(between)
    rest = seen - middle - np.outer((seen - middle) @ between, between)
    directions = np.stack([between, np.linalg.svd(rest, full_matrices=False)[2][0]])
    nearest = np.linalg.norm(new[:, None] - centres, axis=-1).argmin(1)
    return {
        "right": round(float((nearest == meanings).mean()), 3),
        "meaning": meanings,
        "place": np.round((new - middle) @ directions.T, 3).tolist(),
    }


def _measure_homonyms() -> Numbers:
    found = {word: _states(word) for word in HOMONYMS}
    return {"right": [states["right"] for states in found.values()], **found}


def _draw_homonyms(numbers: Numbers, words: Words) -> Any:
    figure, both = axes(2.6, 1, 2)
    for axis, word in zip(both, HOMONYMS, strict=True):
        places, meanings = np.array(numbers[word]["place"]), numbers[word]["meaning"]
        for meaning, colour, mark in ((0, BLUE, "o"), (1, ORANGE, "^")):
            chosen = places[[one == meaning for one in meanings]]
            axis.plot(*chosen.T, mark, color=colour, label=words(f"{word}, {meaning}"))
        axis.set(title=word, xlabel=words("from meaning to meaning"))
        axis.legend(loc="upper center", fontsize=8)
        axis.margins(0.2)
        axis.set_ylim(top=axis.get_ylim()[1] + 0.5 * np.ptp(axis.get_ylim()))
    both[0].set_ylabel(words("largest other direction"))
    return figure


IN_CONTEXT = Figure("homonyms", _measure_homonyms, _draw_homonyms, ("right",), tolerance=0.2, quick=False)
WORD_VECTORS = Figure("word-vectors", _measure, _draw, ("cosine",), tolerance=0.5, quick=False)
