"""The learning in plain PyTorch, for a machine without a C compiler: the same gradients, some pairs at a time.

The pairs of a batch learn from the same weights, where the kernel takes one after the other; batches are small, so that
a frequent word's steps do not add up to more than they should.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.tasks.word_vectors.task import LearningTask

BATCH = 64
Numbers = npt.NDArray[np.int64]


class NumpyTrainer:
    """The way to learn that needs no compiler.

    Args:
        task: what is learned; its matrices are changed in place.
        seeds: one for each worker.
    """

    def __init__(self, task: LearningTask, seeds: Sequence[int]) -> None:
        self._task = task
        self._rows, self._contexts = torch.from_numpy(task.rows), torch.from_numpy(task.contexts)
        self._randomness = [np.random.default_rng(seed) for seed in seeds]
        self._first, self._parts = (torch.from_numpy(array.astype(np.int64)) for array in task.parts)

    def learn(self, worker: int, start: int, end: int, rate: float) -> None:
        """Learn from sentences `start` to `end - 1`."""
        randomness, task = self._randomness[worker], self._task
        for index in range(start, end):
            ids = task.sentences[index]
            kept = ids[randomness.integers(0, 2**32, len(ids), dtype=np.uint32) <= task.keep[ids]]
            centres, others = neighbours(kept, randomness.integers(1, task.window + 1, len(kept)))
            for at in range(0, len(centres), BATCH):
                self._step(kept, (centres[at : at + BATCH], others[at : at + BATCH]), rate, worker)

    def finish(self) -> None:
        """Do nothing: everything is in the task's matrices already."""

    def _step(self, kept: npt.NDArray[np.int32], pairs: tuple[Numbers, Numbers], rate: float, worker: int) -> None:
        """Learn from pairs of places: each centre predicts its others, or with CBOW all others of it predict it."""
        task, (centres, others) = self._task, pairs
        if task.cbow:
            targets, owner = np.unique(centres, return_inverse=True)
            sources = kept[others]
        else:
            targets, owner, sources = others, np.arange(len(others)), kept[centres]
        true = kept[targets].astype(np.int64)
        noise = task.noise.draw(self._randomness[worker], (len(true), task.negatives))
        candidates = torch.from_numpy(np.column_stack([true, noise]))
        known = torch.from_numpy(np.column_stack([np.ones_like(true, dtype=bool), noise != true[:, None]]))
        self._update(torch.from_numpy(sources.astype(np.int64)), torch.from_numpy(owner), candidates, known, rate)

    def _update(self, sources: Tensor, owner: Tensor, candidates: Tensor, known: Tensor, rate: float) -> None:
        """Make one step of gradient descent on -log sigmoid(+-score).

        Args:
            sources: [S], words that go in.
            owner: [S], which of N inputs each belongs to; the rows of an input's words are averaged.
            candidates: [N, 1 + K], the word that is right, and noise.
            known: [N, 1 + K], False where noise is the right word and does not count.
            rate: the learning rate.
        """
        counts = self._first[sources + 1] - self._first[sources]
        begin = torch.repeat_interleave(self._first[sources] - counts.cumsum(0) + counts, counts)
        rows = self._parts[begin + torch.arange(len(begin))]
        owners = torch.repeat_interleave(owner, counts)
        share = torch.zeros(len(candidates)).index_add_(0, owners, torch.ones(len(owners)))
        hidden = torch.zeros(len(candidates), self._rows.shape[1]).index_add_(0, owners, self._rows[rows])
        hidden /= share[:, None]
        contexts = self._contexts[candidates]
        truth = torch.zeros(candidates.shape)
        truth[:, 0] = 1
        step = rate * (truth - torch.einsum("ne,nke->nk", hidden, contexts).sigmoid()) * known
        gradient = torch.einsum("nk,nke->ne", step, contexts)
        self._contexts.index_add_(0, candidates.flatten(), (step[:, :, None] * hidden[:, None, :]).flatten(0, 1))
        self._rows.index_add_(0, rows, gradient[owners])


def neighbours(kept: npt.NDArray[np.int32], reach: Numbers) -> tuple[Numbers, Numbers]:
    """Return all pairs of places (centre, other) of a sentence with the other within the centre's reach, in order."""
    count = len(kept)
    widest = int(reach.max()) if count else 0
    offsets = np.concatenate([np.arange(-widest, 0), np.arange(1, widest + 1)])
    others = np.arange(count)[:, None] + offsets
    within = (others >= 0) & (others < count) & (np.abs(offsets) <= reach[:, None])
    return np.nonzero(within)[0], others[within]
