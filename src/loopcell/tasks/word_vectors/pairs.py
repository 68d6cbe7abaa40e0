"""The quality of vectors on a text: words that stood beside each other against noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import DataError
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.word_vectors.noise import keep_below
from loopcell.tasks.word_vectors.numpy_trainer import neighbours
from loopcell.tasks.word_vectors.settings import WordVectorSettings
from loopcell.tasks.word_vectors.tables import VectorTables

Ids = npt.NDArray[np.int64]
METRIC = "told from noise"
AT_ONCE = 8192


def told_apart(
    network: VectorTables, sentences: list[Ids], settings: WordVectorSettings, drawing: tuple[int, int]
) -> ScoreTable:
    """Return the share of pairs of neighbours in which the true neighbour scores higher than that of another pair.

    Frequent words are left out now and then, as in learning. What noise there is comes from the pairs themselves, so
    to be frequent does not help: who takes the more frequent word is right half of the time.

    Args:
        network: the vectors.
        sentences: the numbers of each sentence's words.
        settings: the window, and how often words are left out.
        drawing: the most pairs, and a seed.

    Raises:
        DataError: there is no pair.
    """
    randomness = np.random.default_rng(drawing[1])
    keep = keep_below(network.counts.numpy(), settings.subsampling)
    heard = (ids[randomness.integers(0, 2**32, len(ids), dtype=np.uint32) <= keep[ids]] for ids in sentences)
    found = [_pairs(ids, settings.window) for ids in heard]
    pairs = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    if not len(pairs):
        raise DataError("no two words that have vectors stand beside each other in these texts")
    pairs = pairs[randomness.permutation(len(pairs))[: drawing[0]]]
    (given, true), noise = pairs.T, randomness.permutation(pairs[:, 1])
    counts = network.counts.numpy()
    rows = {
        "model": {METRIC: _share(_scores(network, given, true), _scores(network, given, noise))},
        "the more frequent": {METRIC: _share(torch.from_numpy(counts[true]), torch.from_numpy(counts[noise]))},
    }
    return ScoreTable(f"{len(pairs):,} pairs of words", rows)


def _pairs(ids: Ids, window: int) -> Ids:
    centres, others = neighbours(ids.astype(np.int32), np.full(len(ids), window))
    return np.stack([ids[centres], ids[others]], axis=1)


def _scores(network: VectorTables, given: Ids, words: Ids) -> Tensor:
    """Return how strongly each given word calls for the other, [N]."""
    vectors, contexts = network.vectors(), network.contexts.float()
    parts = [slice(at, at + AT_ONCE) for at in range(0, len(given), AT_ONCE)]
    return torch.cat([(vectors[given[part]] * contexts[words[part]]).sum(1) for part in parts])


def _share(of_true: Tensor, of_noise: Tensor) -> float:
    """Return how often the first is larger; half for a draw."""
    return float((of_true > of_noise).double().mean() + (of_true == of_noise).double().mean() / 2)
