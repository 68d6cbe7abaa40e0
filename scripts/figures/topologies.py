"""Figures of the topologies: each a small model of the kind that its page speaks of, trained now, and asked.

The jobs and settings are those of the pages' snippets.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from figures.canvas import BLUE, COLOURS, DASHES, GREEN, INK, ORANGE, axes, heat_map
from figures.figure import Figure, Numbers, Words
from loopcell import Captioner, Forecaster, Seq2Seq, SequenceClassifier, SequenceTagger

GRID = 41
WORD, BITS = "abbabaabba", "aabbbabaabababbbaabaabba"
TEXTS = ("x", "yy", "zzz")
SEASON, START = 12, 340
_LEARNING: dict[str, Any] = {"learning_rate": 2e-2, "warmup": 5, "random_state": 1, "progress": False}


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, dtype=np.float64), 3).tolist()


def _measure_one() -> Numbers:
    drawn = np.random.default_rng(0)
    X = list(drawn.uniform(-1, 1, (200, 1, 2)).astype(np.float32))
    y = ["same" if x[0, 0] * x[0, 1] > 0 else "other" for x in X]
    model = SequenceClassifier(cell="rnn", hidden_size=32, epochs=40, **_LEARNING).fit(X[:150], y[:150])
    ticks = np.linspace(-1, 1, GRID)
    grid = [np.array([[one, other]], dtype=np.float32) for other in ticks for one in ticks]
    same = model.predict_proba(grid)[:, list(model.classes_).index("same")]
    return {
        "accuracy": round(float(model.score(X[150:], y[150:])), 3),
        "same": np.round(same.reshape(GRID, GRID), 2).tolist(),
        "held out": _rounded([x[0] for x in X[150:]]),
    }


def _draw_one(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(3.0)
    axis.grid(visible=False)
    place = {"origin": "lower", "extent": (-1, 1, -1, 1), "aspect": "auto"}
    image = axis.imshow(numbers["same"], cmap="cividis", vmin=0, vmax=1, **place)
    points = np.array(numbers["held out"])
    same = points[:, 0] * points[:, 1] > 0
    for which, mark, name in ((same, "o", "same sign"), (~same, "X", "other sign")):
        axis.plot(*points[which].T, mark, color="#ffffff", markeredgecolor="#000000", markersize=6, label=words(name))
    axis.set(xlabel="x₁", ylabel="x₂", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    figure.colorbar(image, ax=axis, label=words("probability of the same sign")).outline.set_visible(False)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _measure_prefixes() -> Numbers:
    drawn = np.random.default_rng(0)
    X = ["".join(drawn.choice(list("ab"), drawn.integers(1, 9))) for _ in range(240)]
    y = ["same" if text[0] == text[-1] else "other" for text in X]
    model = SequenceClassifier(cell="gru", hidden_size=16, epochs=25, **_LEARNING).fit(X[:200], y[:200])
    prefixes = [WORD[:end] for end in range(1, len(WORD) + 1)]
    same = model.predict_proba(prefixes)[:, list(model.classes_).index("same")]
    return {"letters": list(WORD), "same": _rounded(same)}


def _draw_prefixes(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.2)
    letters = numbers["letters"]
    right = [letter == letters[0] for letter in letters]
    axis.bar(range(len(letters)), numbers["same"], color=[BLUE if same else ORANGE for same in right], width=0.7)
    axis.axhline(0.5, color=INK, linewidth=0.8, linestyle=":")
    axis.set_xticks(range(len(letters)), letters)
    axis.set(ylim=(0, 1.02), xlabel=words("letters read"), ylabel=words("probability of “same”"))
    return figure


def _measure_parity() -> Numbers:
    drawn = np.random.default_rng(0)
    X = ["".join(drawn.choice(list("ab"), 8)) for _ in range(150)]
    y = [["odd" if text[: t + 1].count("a") % 2 else "even" for t in range(8)] for text in X]
    model = SequenceTagger(cell="gru", hidden_size=16, epochs=20, **_LEARNING).fit(X, y)
    odd = model.predict_proba([BITS])[0][:, list(model.classes_).index("odd")]
    return {"letters": list(BITS), "odd": _rounded(odd), "h": _rounded(model.inspect(BITS)["h"][0].T)}


def _draw_parity(numbers: Numbers, words: Words) -> Any:
    figure, (above, below) = axes(3.0, 2, 1, sharex=True, height_ratios=(1, 1.2))
    letters, places = numbers["letters"], range(len(numbers["letters"]))
    odd = [letters[: place + 1].count("a") % 2 for place in places]
    above.bar(places, numbers["odd"], color=[BLUE if one else ORANGE for one in odd], width=0.7)
    above.set(ylim=(0, 1.02), ylabel=words("probability of “odd”"))
    image = heat_map(below, numbers["h"], signed=True)
    figure.colorbar(image, ax=below, pad=0.01).outline.set_visible(False)
    below.set(ylabel=words("16 units of h"), yticks=(), xlabel=words("letters read"))
    below.set_xticks(places, letters)
    return figure


def _measure_captions() -> Numbers:
    drawn = np.random.default_rng(0)
    X = drawn.standard_normal((200, 3))
    y = [TEXTS[place] for place in X.argmax(1)]
    model = Captioner(
        random_state=1, cell="gru", hidden_size=24, embedding_size=8, batch_size=8, epochs=15, warmup=5,
        learning_rate=5e-3, progress=False,
    ).fit(list(X), y)  # fmt: skip
    way = np.linspace(0, 2, 41)  # from the first axis to the second, and on to the third
    vectors = 1.5 * np.stack([np.clip(1 - way, 0, 1), 1 - np.abs(way - 1), np.clip(way - 1, 0, 1)], 1)
    found = [{one.text: np.exp(one.log_probability) for one in written} for written in model.candidates(list(vectors))]
    return {"way": _rounded(way), **{text: _rounded([one.get(text, 0.0) for one in found]) for text in TEXTS}}


def _draw_captions(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.4)
    for text, colour, dash in zip(TEXTS, COLOURS, DASHES, strict=False):
        axis.plot(numbers["way"], numbers[text], dash, color=colour, label=f"“{text}”")
    axis.set_xticks((0, 1, 2), ("(1.5, 0, 0)", "(0, 1.5, 0)", "(0, 0, 1.5)"))
    axis.set(xlabel=words("the vector given"), ylabel=words("probability of a text"), ylim=(0, 1.02))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _measure_attention() -> Numbers:
    random.seed(0)
    X = ["".join(random.choices("abcd", k=random.randint(1, 5))) for _ in range(300)]
    y = [text[::-1].upper() + "!" for text in X]
    model = Seq2Seq(cell="gru", hidden_size=32, embedding_size=16, epochs=20, patience=None, **_LEARNING).fit(X, y)
    seen = model.attention_map("abcd")
    return {"source": list(seen.source), "target": list(seen.target), "weights": _rounded(seen.weights)}


def _draw_attention(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.9)
    image = heat_map(axis, numbers["weights"])
    axis.set_xticks(range(len(numbers["source"])), numbers["source"])
    axis.set_yticks(range(len(numbers["target"])), numbers["target"])
    axis.set(xlabel=words("read"), ylabel=words("written"))
    figure.colorbar(image, ax=axis, label=words("weight")).outline.set_visible(False)
    return figure


def _measure_forecast() -> Numbers:
    hours = np.arange(400)
    load = np.sin(2 * np.pi * hours / SEASON) + np.random.default_rng(0).normal(0, 0.3, 400)
    model = Forecaster(
        horizon=6, history=24, season=SEASON, hidden_size=8, dropout=0.0, random_state=1, batch_size=8, epochs=40,
        patience=10, learning_rate=1e-2, warmup=5, progress=False,
    ).fit(load[:320])  # fmt: skip
    (forecast,) = model.predict(load[:START])
    return {"load": _rounded(load[START - 30 : START + 6]), "quantiles": _rounded(forecast.quantiles[:, 0])}


def _draw_forecast(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.4)
    load, (low, middle, high) = numbers["load"], np.array(numbers["quantiles"]).T
    hours = np.arange(START - 30, START + 6)
    axis.plot(hours, load, color=INK, alpha=0.7, linewidth=1.2, marker=".", label=words("what was, and what came"))
    axis.fill_between(hours[30:], low, high, color=BLUE, alpha=0.3, linewidth=0, label=words("quantiles 0.1 to 0.9"))
    axis.plot(hours[30:], middle, color=BLUE, label=words("median"))
    axis.axvline(START - 0.5, color=GREEN, linestyle=":", linewidth=1.2)
    axis.set(xlabel=words("hour"), ylabel=words("load"), ylim=(-1.9, 2.9))
    axis.legend(loc="upper left", ncols=2, fontsize=8)
    return figure


ONE_TO_ONE = Figure("one-to-one", _measure_one, _draw_one, ("accuracy",), tolerance=0.15, quick=False)
MANY_TO_ONE = Figure("many-to-one", _measure_prefixes, _draw_prefixes, ("same",), tolerance=0.4, quick=False)
ALIGNED = Figure("many-to-many-aligned", _measure_parity, _draw_parity, ("odd",), tolerance=0.4, quick=False)
ONE_TO_MANY = Figure("one-to-many", _measure_captions, _draw_captions, TEXTS, tolerance=0.5, quick=False)
ATTENTION = Figure("attention", _measure_attention, _draw_attention, ("weights",), tolerance=0.9, quick=False)
OVER_TIME = Figure("over-time", _measure_forecast, _draw_forecast, ("quantiles",), tolerance=0.6, quick=False)
