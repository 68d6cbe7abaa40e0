"""Subwords, noise, corpora, and the plain way to learn, each beside something independent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.data import Ragged
from loopcell.tasks.word_vectors.corpus import read_corpus
from loopcell.tasks.word_vectors.noise import keep_below, noise_of
from loopcell.tasks.word_vectors.numpy_trainer import NumpyTrainer, neighbours
from loopcell.tasks.word_vectors.subwords import Subwords, parts_of
from loopcell.tasks.word_vectors.task import LearningTask


def test_ngrams_are_those_of_the_paper():
    """Bojanowski et al., section 3.2: of `where`, with n = 3: <wh, whe, her, ere, re>."""
    three = Subwords(3, 3, 2**31, jamo=False)
    alone = Subwords(3, 5, 2**31, jamo=False)
    assert len(three.of("where")) == 5
    assert three.of("where")[2] == three.of("there")[2]  # "her" of both
    assert three.of("her") != [three.of("where")[2]]  # <he, her, er>: the word's own marks tell it apart
    assert set(three.of("where")) <= set(alone.of("where"))
    assert len(alone.of("where")) == 5 + 4 + 3


def test_the_hash_is_fasttexts():
    """FNV-1a (Fowler, Noll, Vo): the 32-bit values of "a" and "foobar" from its authors' test vectors."""
    assert 0xE40C292C in Subwords(1, 1, 2**40, jamo=False).of("a")
    assert 0xBF9CF968 in Subwords(6, 6, 2**40, jamo=False).of("xfoobarx")
    inner = pytest.importorskip("gensim.models.fasttext")
    for word in ("where", "영화", "été", "a"):
        assert sorted(inner.ft_ngram_hashes(word, 2, 5, 1000)) == sorted(Subwords(2, 5, 1000, jamo=False).of(word))


def test_jamo_bring_syllables_together():
    syllables, jamo = Subwords(2, 3, 2**31, jamo=False), Subwords(2, 3, 2**31, jamo=True)
    assert not set(syllables.of("봤다")) & set(syllables.of("봄"))
    assert set(jamo.of("봤다")) & set(jamo.of("봄"))


def test_parts_are_the_word_and_its_ngrams():
    parts = parts_of(["ab", "c"], Subwords(2, 2, 10, jamo=False))
    assert parts.first.tolist() == [0, 4, 7]
    assert parts.rows[[0, 4]].tolist() == [0, 1]
    assert (parts.rows[[1, 2, 3, 5, 6]] >= 2).all()
    assert parts.most == 4


def test_words_are_kept_as_word2vec_says():
    counts = np.array([900, 90, 10])
    kept = (keep_below(counts, 0.01) + 1.0) / 2**32
    share = counts / 1000
    assert kept == pytest.approx(np.minimum(1, np.sqrt(0.01 / share) + 0.01 / share), abs=1e-6)
    assert (keep_below(counts, 0) == 2**32 - 1).all()


def test_noise_is_drawn_by_the_weights():
    counts = np.array([1000, 300, 40, 5, 1])
    drawn = noise_of(counts, 0.75).draw(np.random.default_rng(0), (400_000,))
    weights = counts**0.75
    assert np.bincount(drawn) / len(drawn) == pytest.approx(weights / weights.sum(), abs=3e-3)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_the_alias_table_has_the_weights_exactly(power, count):
    counts = np.random.default_rng(count).integers(1, 1000, count)
    noise = noise_of(counts, power)
    share = (noise.below + 1.0) / 2**32
    mass = share.copy()
    np.add.at(mass, noise.other, 1 - share)
    weights = counts.astype(float) ** power
    assert mass / count == pytest.approx(weights / weights.sum(), abs=1e-8)


def test_a_corpus_is_numbered_by_counts_and_ties_by_the_alphabet():
    corpus = read_corpus([["b", "a", "x"], ["a", "b", "c"], []], 1, None)
    assert corpus.words == ["a", "b", "c", "x"]
    assert corpus.counts.tolist() == [2, 2, 1, 1]
    assert [ids.tolist() for ids in corpus.sentences] == [[1, 0, 3], [0, 1, 2], []]


def test_neighbours_of_each_place():
    centres, others = neighbours(np.zeros(4, dtype=np.int32), np.array([1, 2, 1, 3]))
    pairs = list(zip(centres.tolist(), others.tolist(), strict=True))
    assert pairs == [(0, 1), (1, 0), (1, 2), (1, 3), (2, 1), (2, 3), (3, 0), (3, 1), (3, 2)]
    assert neighbours(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64))[0].shape == (0,)


@pytest.mark.parametrize("buckets", [0, 5])
def test_a_step_of_the_plain_way_is_autograds(buckets):
    """The gradient of -log sigmoid(+-score), summed over a batch, by torch."""
    drawn = np.random.default_rng(3)
    words = ["ab", "bc", "cd"]
    subwords = Subwords(1, 2, buckets, jamo=False)
    rows, contexts = (drawn.standard_normal(shape).astype(np.float32) for shape in ((3 + buckets, 4), (3, 4)))
    parts, counts = parts_of(words, subwords), np.ones(3, dtype=np.int64)
    before = torch.tensor(rows, requires_grad=True), torch.tensor(contexts, requires_grad=True)
    task = LearningTask(
        rows, contexts, parts, keep_below(counts, 0), noise_of(counts, 0), Ragged.of([counts]), 1, 2, False
    )
    sources, owner = torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1])
    candidates = torch.tensor([[1, 0, 2], [0, 0, 1]])
    known = torch.tensor([[True, True, True], [True, False, True]])
    NumpyTrainer(task, [1])._update(sources, owner, candidates, known, 0.5)

    of_word = [before[0][torch.from_numpy(parts.rows[parts.first[w] : parts.first[w + 1]]).long()] for w in range(3)]
    hidden = torch.stack([torch.cat([of_word[0], of_word[1]]).mean(0), of_word[2].mean(0)])
    score = torch.einsum("ne,nke->nk", hidden, before[1][candidates])
    sign = torch.tensor([1.0, -1.0, -1.0])
    loss = -(torch.nn.functional.logsigmoid(sign * score) * known).sum()
    by_rows, by_contexts = torch.autograd.grad(loss, before)
    # What goes in moves by the gradient of the mean, as in word2vec and fastText, and not by its share of it.
    share = torch.zeros(3 + buckets)
    for row_count, group in ((len(of_word[0]) + len(of_word[1]), (0, 1)), (len(of_word[2]), (2,))):
        for word in group:
            share[torch.from_numpy(parts.rows[parts.first[word] : parts.first[word + 1]]).long()] = row_count
    assert torch.allclose(torch.from_numpy(contexts), (before[1] - 0.5 * by_contexts).detach(), atol=1e-5)
    if not buckets:
        assert torch.allclose(torch.from_numpy(rows), (before[0] - 0.5 * by_rows * share[:, None]).detach(), atol=1e-5)
    else:
        assert (torch.from_numpy(rows) != before[0].detach()).any()
