"""The network of a language model: scores for the next token from all that came before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.data import Vocabulary
from loopcell.errors import UsageError
from loopcell.layers import State
from loopcell.tasks.core.networks.reader import recurrent_layers
from loopcell.tasks.language_model.settings import LanguageModelSettings


class LanguageModelNetwork(nn.Module):
    """Embedding, recurrent layers and a linear head over the vocabulary of V tokens.

    Args:
        vocabulary: what a token is.
        settings: the cell and the sizes.

    Attributes:
        token_counts: int64 [V], how often training saw each token; zeros when nobody counted.

    Raises:
        UsageError: `tied` with an output of another length than the embedding.
    """

    token_counts: Tensor

    def __init__(self, vocabulary: Vocabulary, settings: LanguageModelSettings) -> None:
        super().__init__()
        self.vocabulary, self.tied = vocabulary, settings.tied
        size = settings.embedding_size or settings.hidden_size
        self.embedding = nn.Embedding(len(vocabulary), size)
        self.dropout = nn.Dropout(settings.dropout)
        self.recurrent = recurrent_layers(settings, size)
        self.head = nn.Linear(self.recurrent.output_size, len(vocabulary))
        if self.tied:
            if self.recurrent.output_size != size:
                lengths = f"{self.recurrent.output_size} and {size}"
                raise UsageError(f"a tied head needs an output as long as the embedding, got {lengths}")
            del self.head.weight
        self.register_buffer("token_counts", torch.zeros(len(vocabulary), dtype=torch.int64))

    def forward(self, tokens: Tensor, state: State | None = None, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Score the next token after each token.

        Args:
            tokens: int64 [T, B].
            state: the state before the first token; None for a fresh one.
            reset: bool [T, B], true where a new document begins.

        Returns:
            Logits [T, B, V] and the state after the last token.
        """
        inputs = self.dropout(self.embedding(tokens))
        outputs, state = self.recurrent(inputs, state, reset=reset)
        weight = self.embedding.weight if self.tied else self.head.weight
        return functional.linear(self.dropout(outputs), weight, self.head.bias), state

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return self.embedding.weight.device
