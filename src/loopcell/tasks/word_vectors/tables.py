"""The tensors of word vectors, and who is near whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from loopcell.tasks.word_vectors.subwords import Parts


class VectorTables(nn.Module):
    """The tables that were learned, as buffers: nothing here is trained by gradients of torch.

    Args:
        words: V.
        size: E.
        buckets: of n-grams; 0 for none.
        parts: the rows that each word's vector is the mean of.
        contexts: whether the vectors are there by which words are predicted.

    Attributes:
        rows: [V + buckets, E].
        contexts: [V, E], or [0, E] where they are not known.
        counts: int64 [V], how often each word is in the text; zeros where that is not known.
    """

    rows: Tensor
    contexts: Tensor
    counts: Tensor

    def __init__(self, words: int, size: int, buckets: int, parts: Parts, *, contexts: bool) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(words + buckets, size))
        self.register_buffer("contexts", torch.zeros(words if contexts else 0, size))
        self.register_buffer("counts", torch.zeros(words, dtype=torch.int64))
        self._parts = parts
        self._vectors: Tensor | None = None

    def start(self, counts: npt.NDArray[np.int64], seed: int) -> None:
        """Start learning: small numbers for what goes in, zeros for what is predicted, as word2vec.

        Args:
            counts: [V], how often each word is in the text.
            seed: of what is drawn.
        """
        bound = 1 / self.rows.shape[1]
        self.rows.copy_(torch.from_numpy(np.random.default_rng(seed).uniform(-bound, bound, self.rows.shape)))
        self.counts.copy_(torch.from_numpy(counts))

    def vectors(self) -> Tensor:
        """Return the words' vectors, [V, E]."""
        if self._vectors is None and not self._parts.shared:
            self._vectors = self.rows.float()
        elif self._vectors is None:
            first, rows = (torch.from_numpy(array).long() for array in self._parts)
            self._vectors = F.embedding_bag(rows, self.rows.float(), first[:-1], mode="mean")
        assert self._vectors is not None
        return self._vectors

    def mean(self, rows: list[int]) -> Tensor:
        """Return the mean of some rows, [E]."""
        return self.rows[rows].float().mean(0)

    def near(self, vector: Tensor) -> Tensor:
        """Return the cosine of every word's vector with this one, [V]; a vector of zeros is near nothing."""
        return F.cosine_similarity(self.vectors(), vector[None], dim=1, eps=1e-12)
