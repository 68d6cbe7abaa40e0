"""Word vectors beside gensim's: the same words, the same settings, tinyshakespeare and NSMC.

Two runs of one program differ, too, since both draw: what gensim with another seed has in common with gensim is the
most that can be asked. For the words of rank 50 to 1,050: the share of the 10 nearest words that two models agree on
(overlap), and the correlation of the cosines of all pairs (spacing). Time is processor time, one thread, counting
included.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from gensim.models import Word2Vec
from recipe import Result, main

from loopcell import ScoreTable, WordVectors
from loopcell.data import fetch, read

SETTINGS = {"vector_size": 100, "window": 5, "negatives": 5, "subsampling": 1e-3, "min_count": 5, "epochs": 5}
PROBES = slice(50, 1050)


def run(small: bool) -> Result:
    """Learn skip-gram and CBOW with both programs on both texts, and compare."""
    settings = {**SETTINGS, "vector_size": 16, "epochs": 1} if small else SETTINGS
    rows: dict[str, dict[str, float]] = {}
    facts: dict[str, object] = {}
    for text, sentences in (("tinyshakespeare", plays(small)), ("nsmc", reviews(small))):
        facts[f"words of {text}"] = sum(map(len, sentences))
        for name, cbow in (("", False), (", CBOW", True)):
            ours, gensim = (
                [timed(learn, sentences, {**settings, "cbow": cbow}, seed) for seed in (1, 2)]
                for learn in (by_loopcell, by_gensim)
            )
            for row, one, other in (("model", ours[0], gensim[0]), ("gensim again", gensim[1], gensim[0])):
                found = rows.setdefault(f"{row}{name}", {})
                found[f"overlap, {text}"], found[f"spacing, {text}"] = alike(one[0], other[0])
                spent = ours if row == "model" else gensim
                found[f"time, {text}"] = sum(s for _, s in spent) / sum(s for _, s in gensim)
        facts[f"nearest words, {text}"] = {word: near(ours[0][0], word) for word in probe_words(ours[0][0])[:5]}
    table = ScoreTable("overlap and spacing against gensim; time as a share of gensim's", rows)
    return Result(dict(table.model), table, settings, facts)


Vectors = tuple[list[str], np.ndarray]
Learn = Callable[[list[list[str]], dict[str, object], int], Vectors]


def by_loopcell(sentences: list[list[str]], settings: dict[str, object], seed: int) -> Vectors:
    """Learn words and their vectors at length one, by loopcell."""
    model = WordVectors(**settings, random_state=seed).fit(sentences)
    return model.words_, model.vectors_ / np.linalg.norm(model.vectors_, axis=1, keepdims=True)


def by_gensim(sentences: list[list[str]], settings: dict[str, object], seed: int) -> Vectors:
    """Return the same by gensim, in whose words the settings are other ones."""
    model = Word2Vec(
        sentences,
        vector_size=settings["vector_size"],
        window=settings["window"],
        negative=settings["negatives"],
        sample=settings["subsampling"],
        min_count=settings["min_count"],
        epochs=settings["epochs"],
        sg=int(not settings["cbow"]),
        workers=1,
        seed=seed,
    )
    return model.wv.index_to_key, model.wv.get_normed_vectors()


def timed(learn: Learn, sentences: list[list[str]], settings: dict[str, object], seed: int) -> tuple[Vectors, float]:
    """Return what is learned, and the processor seconds that it took."""
    began = time.process_time()
    return learn(sentences, settings, seed), time.process_time() - began


def alike(one: Vectors, other: Vectors) -> tuple[float, float]:
    """Overlap and spacing of two models of the same words."""
    words = one[0]
    assert set(words) == set(other[0])
    place = {word: number for number, word in enumerate(other[0])}
    aligned = other[1][[place[word] for word in words]]
    nearest, cosines = [], []
    for vectors in (one[1], aligned):
        found = vectors[PROBES] @ vectors.T
        cosines.append(found[:, PROBES][np.triu_indices(len(found), 1)])
        found[np.arange(len(found)), np.arange(len(words))[PROBES]] = -2
        nearest.append(np.argsort(-found, axis=1)[:, :10])
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*nearest, strict=True)])
    return float(overlap), float(np.corrcoef(*cosines)[0, 1])


def probe_words(vectors: Vectors) -> list[str]:
    """Return the probes that are longer than a letter or two."""
    return [word for word in vectors[0][PROBES] if len(word) > 2]


def near(vectors: Vectors, word: str) -> list[str]:
    """Return the five words nearest to one."""
    cosines = vectors[1] @ vectors[1][vectors[0].index(word)]
    return [vectors[0][i] for i in np.argsort(-cosines)[1:6]]


def plays(small: bool) -> list[list[str]]:
    """Return the lines of Shakespeare in lower case, as words."""
    return cut(read(fetch("tinyshakespeare")["input.txt"]).column("text"), small)


def reviews(small: bool) -> list[list[str]]:
    """Return the reviews of NSMC's training part, as words."""
    return cut(read(fetch("nsmc")["ratings_train.txt"]).column("document"), small)


def cut(texts: object, small: bool) -> list[list[str]]:
    """Cut the words of each text, by loopcell's rule."""
    from loopcell.tasks.core.inputs.word_tokenizer import WordTokenizer

    return list(WordTokenizer(lower=True).each([text or "" for text in texts][:: 5 if small else 1]))


if __name__ == "__main__":
    main(run)
