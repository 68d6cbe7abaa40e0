"""The decoder: a recurrent language model of the targets that starts from what an encoder made of the input."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.layers import State
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.core.networks.reader import recurrent_layers
from loopcell.tasks.seq2seq.attention import ATTENTIONS
from loopcell.tasks.seq2seq.settings import WritingSettings


class Encoded(NamedTuple):
    """The decoder's knowledge of the input.

    Attributes:
        memory: what attention may look at, [S, B, M].
        lengths: how much of it each row has, [B].
        context: the context vector, [B, C].
        keys: what attention compares with, made once of the memory; empty without attention.
        state: the decoder's state: at first what the input made of it, later what has been written too.
    """

    memory: Tensor
    lengths: Tensor
    context: Tensor
    keys: Tensor
    state: State

    def select(self, rows: Tensor) -> Encoded:
        """Select some rows of the batch, [N], in that order."""
        keys = self.keys[:, rows] if self.keys.dim() > 1 else self.keys  # no attention, no keys
        return Encoded(self.memory[:, rows], self.lengths[rows], self.context[rows], keys, self.state.select(rows))


class Decoded(NamedTuple):
    """The result of a decoder for some tokens.

    Attributes:
        vectors: [T, B, E], which the head turns into scores.
        weights: of attention, [T, B, S]; None without.
        state: after the last token.
    """

    vectors: Tensor
    weights: Tensor | None
    state: State


class Decoder(nn.Module):
    """Embedding, recurrent layers, attention or the context vector, a combination, a head over V tokens and the end.

    With attention the order is that of Luong et al. 2015: the recurrent layers run, attention looks from their outputs,
    and h~ = tanh(W [c; h]) is what the head reads (their equation 5). They also feed h~ back as an input, which would
    force a call of the layers a step; without it a whole target is one call. Without attention the context vector
    enters at every step, into the recurrent layers and the combination, as in Cho et al. 2014 (arXiv 1406.1078).

    Args:
        tokens: V; token V stands for the end of a target, and before its beginning.
        memory_size: M.
        context_size: C.
        settings: the cell, the sizes, the kind of attention.

    Attributes:
        boundary: the token before the beginning and after the end, V.
        start_sizes: the length of each of the cell's states.
    """

    def __init__(self, tokens: int, memory_size: int, context_size: int, settings: WritingSettings) -> None:
        super().__init__()
        self.boundary = tokens
        size = settings.embedding_size
        attends = settings.attention != "none"
        self.embedding = nn.Embedding(tokens + 1, size)
        self.dropout = nn.Dropout(settings.dropout)
        input_size = size if attends else size + context_size
        self.recurrent = recurrent_layers(settings, input_size, chrono=settings.chrono)
        output_size = self.recurrent.output_size
        self.attention = ATTENTIONS[settings.attention](output_size, memory_size) if attends else None
        self.combination = nn.Linear(output_size + (memory_size if attends else context_size), size)
        self.head = nn.Linear(size, tokens + 1)
        self._begin(tied=settings.tied)

    def _begin(self, *, tied: bool) -> None:
        """Start on one scale for the embedding and the head: rows of length one, made longer when they are read."""
        nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        if tied:  # one tensor, and one name in files: `scores` reads the embedding's
            del self.head.weight
        self._tied = tied

    def encoded(self, memory: Tensor, lengths: Tensor, context: Tensor, state: State) -> Encoded:
        """Put together what there is to know of the input; shapes as in `Encoded`."""
        keys = memory.new_empty(0) if self.attention is None else self.attention.keys(memory)
        return Encoded(memory, lengths, context, keys, state)

    def forward(self, tokens: Tensor, encoded: Encoded, lengths: Tensor | None = None) -> Decoded:
        """Read tokens [T, B], of which each row has `lengths`, after what was encoded."""
        vectors = self.embedding(tokens) * self.embedding.embedding_dim**0.5
        vectors = self.dropout(vectors).to(encoded.memory.dtype)
        seen, weights = encoded.context.expand(len(tokens), -1, -1), None
        if self.attention is None:
            vectors = torch.cat([vectors, seen], -1)
        outputs, state = self.recurrent(vectors, encoded.state, lengths=lengths)
        outputs = self.dropout(outputs)
        if self.attention is not None:
            seen, weights = self.attention(outputs, encoded.keys, encoded.memory, encoded.lengths)
        combined = torch.tanh(self.combination(torch.cat([seen, outputs], -1)))
        return Decoded(self.dropout(combined), weights, state)

    def scores(self, vectors: Tensor) -> Tensor:
        """Return the scores [..., V + 1] of the next token, of vectors [..., E]."""
        weight = self.embedding.weight if self._tied else self.head.weight
        return functional.linear(vectors, weight, self.head.bias)

    def step(self, tokens: Tensor, encoded: Encoded) -> tuple[Tensor, Encoded]:
        """Read one token per row, [B]; gives log-probabilities [B, V + 1] of the next one, and the state after it."""
        decoded = self(tokens.unsqueeze(0), encoded)
        found = precise(self.scores(decoded.vectors[0])).log_softmax(-1)
        return found, encoded._replace(state=decoded.state)
