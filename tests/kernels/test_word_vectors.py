"""The kernel of word vectors beside the same steps written plainly in double precision, with the same draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopcell import WordVectors
from loopcell.data import Ragged
from loopcell.tasks.word_vectors.kernel import Kernel
from loopcell.tasks.word_vectors.noise import keep_below, noise_of
from loopcell.tasks.word_vectors.subwords import Subwords, parts_of
from loopcell.tasks.word_vectors.task import LearningTask
from tests.tasks.word_vectors.texts import ANIMALS, FOODS, QUICK, sentences


def made(cbow, buckets, size, seed=0, count=9):
    drawn = np.random.default_rng(seed)
    counts = np.sort(drawn.integers(5, 200, count))[::-1]
    words = ["".join(drawn.choice(list("abc"), 3)) for _ in range(count)]
    ids = [drawn.integers(0, count, length).astype(np.int32) for length in (0, 1, 2, 7, 30)]
    return LearningTask(
        rows=drawn.standard_normal((count + buckets, size)).astype(np.float32),
        contexts=drawn.standard_normal((count, size)).astype(np.float32),
        parts=parts_of(words, Subwords(2, 3, buckets, jamo=False)),
        keep=keep_below(counts, 0.05),
        noise=noise_of(counts, 0.75),
        sentences=Ragged.of(ids),
        window=3,
        negatives=4,
        cbow=cbow,
    )


class Steps:
    """The paper's equation 4 by gradient descent, word for word and number for number."""

    def __init__(self, task, seed):
        self.task, self.state = task, seed
        self.rows, self.contexts = task.rows.astype(np.float64), task.contexts.astype(np.float64)

    def drawn(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state

    def noise(self):
        place = self.drawn() * len(self.contexts)
        column, chance = place >> 64, place % 2**64 >> 32
        return column if chance <= self.task.noise.below[column] else int(self.task.noise.other[column])

    def chosen(self, word):
        found = [(word, 1)]
        for _ in range(self.task.negatives):
            other = self.noise()
            if other != word:
                found.append((other, 0))
        return found

    def learn(self, inputs, targets, rate):
        """The draws of the next target come before the steps of this one, so that its rows are on their way."""
        hidden = before = self.rows[inputs].mean(0)
        ahead = [self.chosen(word) for word in targets]
        for candidates in ahead:
            gradient = np.zeros_like(hidden)
            for word, truth in candidates:
                step = rate * (truth - 1 / (1 + math.exp(-hidden @ self.contexts[word])))
                gradient += step * self.contexts[word]
                self.contexts[word] += step * hidden
            hidden = hidden + gradient
        for row in inputs:
            self.rows[row] += hidden - before

    def rows_of(self, words):
        first, rows = self.task.parts
        return [int(row) for word in words for row in rows[first[word] : first[word + 1]]]

    def sentence(self, ids, rate):
        kept = [int(word) for word in ids if self.drawn() >> 32 <= self.task.keep[word]]
        for at, word in enumerate(kept):
            reach = 1 + ((self.drawn() >> 32) * self.task.window >> 32)
            around = [kept[i] for i in range(max(0, at - reach), min(len(kept), at + reach + 1)) if i != at]
            if around and self.task.cbow:
                self.learn(self.rows_of(around), [word], rate)
            elif around:
                self.learn(self.rows_of([word]), around, rate)


@pytest.mark.parametrize("size", [1, 16, 37, 300])
@pytest.mark.parametrize("buckets", [0, 20])
@pytest.mark.parametrize("cbow", [False, True])
def test_the_kernel_makes_the_steps_of_the_paper(cbow, buckets, size):
    task = made(cbow, buckets, size)
    plain = Steps(task, 7)
    for ids in task.sentences:
        plain.sentence(ids, 0.05)
    before = task.rows.copy()
    kernel = Kernel(task, [7])
    kernel.learn(0, 0, 3, 0.05)
    kernel.learn(0, 3, len(task.sentences), 0.05)
    kernel.finish()
    assert (task.rows != before).any()
    assert np.abs(task.rows - plain.rows).max() < 2e-5 * max(1, np.abs(plain.rows).max())
    assert np.abs(task.contexts - plain.contexts).max() < 2e-5 * max(1, np.abs(plain.contexts).max())


def test_scores_far_out_do_not_break_it():
    task = made(False, 0, 16)
    task.rows[:] = 100
    task.contexts[:] = 100
    kernel = Kernel(task, [1])
    kernel.learn(0, 0, len(task.sentences), 0.05)
    kernel.finish()
    assert np.isfinite(task.rows).all()


@pytest.mark.parametrize("settings", [{}, {"cbow": True}, {"ngrams": (2, 3), "buckets": 50}, {"workers": 3}])
def test_it_learns_what_the_plain_way_learns(settings):
    model = WordVectors(**QUICK, **settings).fit(sentences())
    inside = [model.similarity(a, b) for group in (ANIMALS, FOODS) for a in group for b in group if a < b]
    across = [model.similarity(a, b) for a in ANIMALS for b in FOODS]
    assert np.mean(inside) - np.mean(across) > 0.5


def test_one_seed_gives_one_result():
    one, again = (WordVectors(**QUICK).fit(sentences(100)) for _ in range(2))
    assert (one.vectors_ == again.vectors_).all()
