"""The first layer for tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.inputs.input import FirstLayer
from loopcell.tasks.settings import NetworkSettings


class TokenEmbedding(FirstLayer):
    """A vector for each token; the unknown token starts as zeros, so that an unseen character adds nothing.

    In training a token may be dropped as a whole, as in Iyyer et al.: Deep Unordered Composition Rivals Syntactic
    Methods for Text Classification, 2015, section 3.1. It then is zeros too, like one that is not known.

    Args:
        tokens: V, how many there are.
        settings: the length of a vector, and how often a token is dropped.
        unknown: the unknown token's id, if there is one.
    """

    def __init__(self, tokens: int, settings: NetworkSettings, unknown: int | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, settings.embedding_size)
        self.output_size = settings.embedding_size
        self._dropped = settings.token_dropout
        if unknown is not None and self.embedding.weight.device.type != "meta":
            with torch.no_grad():
                self.embedding.weight[unknown] = 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        """Look up token ids [T, B]; gives [T, B, E]."""
        vectors: Tensor = self.embedding(inputs)
        if self.training and self._dropped:
            kept = torch.rand(inputs.shape, device=vectors.device) >= self._dropped
            vectors = vectors * kept.unsqueeze(-1)
        return vectors
