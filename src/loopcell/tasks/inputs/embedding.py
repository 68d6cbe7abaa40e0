"""The first layer for tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.inputs.input import FirstLayer


class TokenEmbedding(FirstLayer):
    """A vector for each token; the unknown token starts as zeros, so that an unseen character adds nothing.

    Args:
        tokens: V, how many there are.
        size: E, the length of a vector.
        unknown: the unknown token's id, if there is one.
    """

    def __init__(self, tokens: int, size: int, unknown: int | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, size)
        self.output_size = size
        if unknown is not None and self.embedding.weight.device.type != "meta":
            with torch.no_grad():
                self.embedding.weight[unknown] = 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        """Look up token ids [T, B]; gives [T, B, E]."""
        vectors: Tensor = self.embedding(inputs)
        return vectors
