"""The first layer for tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.core.inputs.input import FirstLayer
from loopcell.tasks.core.settings import NetworkSettings

BUCKETS = 1 << 17
"""Vectors for n-grams, which share one where their hashes meet."""


class TokenEmbedding(FirstLayer):
    """A vector for each token; the unknown token starts as zeros, so that an unseen character adds nothing.

    In training a token may be dropped as a whole, as in Iyyer et al.: Deep Unordered Composition Rivals Syntactic
    Methods for Text Classification, 2015, section 3.1. It then is zeros too, like one that is not known.

    The tokens before a step may be read with it, as n-grams hashed into buckets (Joulin et al.: Bag of Tricks for
    Efficient Text Classification, 2017): the vectors of the 2- to n-grams that end there are added. They start as
    zeros.

    Args:
        tokens: V, how many there are.
        settings: the length of a vector, how often a token is dropped, how long n-grams are.
        unknown: the unknown token's id, if there is one.
    """

    def __init__(self, tokens: int, settings: NetworkSettings, unknown: int | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, settings.embedding_size)
        self.ngrams = nn.Embedding(BUCKETS, settings.embedding_size) if settings.ngrams > 1 else None
        self.output_size = settings.embedding_size
        self._longest = settings.ngrams
        self._dropped = settings.token_dropout
        if self.embedding.weight.device.type == "meta":
            return
        with torch.no_grad():
            if unknown is not None:
                self.embedding.weight[unknown] = 0.0
            if self.ngrams is not None:
                self.ngrams.weight.zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        """Look up token ids [T, B]; gives [T, B, E]."""
        vectors: Tensor = self.embedding(inputs)
        kept = None
        if self.training and self._dropped:
            kept = torch.rand(inputs.shape, device=vectors.device) >= self._dropped
            vectors = vectors * kept.unsqueeze(-1)
        return vectors if self.ngrams is None else vectors + self._of_ngrams(self.ngrams, inputs, kept)

    def _of_ngrams(self, table: nn.Embedding, inputs: Tensor, kept: Tensor | None) -> Tensor:
        """Add up the vectors of the n-grams that end at each step; one with a dropped token is dropped."""
        keys, total = inputs + 1, inputs.new_zeros(())
        for back in range(1, self._longest):
            keys = keys * 1_000_003 + _before(inputs + 1, back)
            found = table((keys * 0x9E3779B97F4A7C1 >> 20) % BUCKETS)  # products wrap around, as hashes do
            if kept is not None:
                kept = kept & _before(kept, back)
                found = found * kept.unsqueeze(-1)
            total = total + found
        return total


def _before(steps: Tensor, back: int) -> Tensor:
    """Return what stood so many steps before, [T, B]; zeros before the first one."""
    rows = min(back, len(steps))
    return torch.cat([torch.zeros_like(steps[:rows]), steps[: len(steps) - rows]])
