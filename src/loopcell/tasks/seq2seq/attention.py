"""Attention: where in the input a decoder looks at each step.

A decoder's outputs are the queries. Since they do not depend on what attention gave at earlier steps (no input
feeding), a whole target is one call of the recurrent layers and one call here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.errors import UsageError
from loopcell.tasks.core.networks.pooling import within


class DotAttention(nn.Module):
    """score(h, m) = h . m; the two directions of an encoder are added up, so that both have H numbers.

    Luong, Pham, Manning: Effective Approaches to Attention-based Neural Machine Translation, 2015, equation 8.

    Args:
        query_size: H, the length of the decoder's output.
        memory_size: M, a multiple of H.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        if memory_size % query_size:
            raise UsageError(f"attention: dot needs vectors of {query_size} numbers to look at, got {memory_size}")
        self.query_size = query_size

    def keys(self, memory: Tensor) -> Tensor:
        """Return the keys that queries are compared with, [S, B, H], made once of the memory [S, B, M]."""
        directions = memory.shape[-1] // self.query_size  # -1 would be any number where all inputs are empty
        return memory.reshape(*memory.shape[:2], directions, self.query_size).sum(-2)

    def forward(self, queries: Tensor, keys: Tensor, memory: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Look.

        Args:
            queries: the decoder's outputs [T, B, H].
            keys: what `keys` gave.
            memory: [S, B, M].
            lengths: how much of the memory each row has, [B].

        Returns:
            What was seen, [T, B, M], and the weights [T, B, S], summing to one.
        """
        return looked_up(self.scores(queries, keys), memory, lengths)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, T, S] before the softmax."""
        return torch.bmm(queries.transpose(0, 1), keys.permute(1, 2, 0))


class GeneralAttention(DotAttention):
    """score(h, m) = h . W m, as Luong et al. 2015, equation 8; the product with W is taken on the query's side."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(1, memory_size)
        self.query = nn.Linear(query_size, memory_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Return the memory itself."""
        return memory

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, T, S] before the softmax."""
        return super().scores(self.query(queries), keys)


class AdditiveAttention(DotAttention):
    """score(h, m) = v . tanh(W h + U m), of Bahdanau, Cho, Bengio 2015 (arXiv 1409.0473), appendix A.1.2.

    They take the decoder's state before the step; here it is the one after it, as Luong et al. have it.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(1, memory_size)
        self.query = nn.Linear(query_size, query_size, bias=False)
        self.key = nn.Linear(memory_size, query_size)
        self.score = nn.Linear(query_size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Return U m."""
        found: Tensor = self.key(memory)
        return found

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, T, S] before the softmax."""
        # Every query beside every key, [B, T, S, H]: the one form of attention here that is no product of matrices.
        both = self.query(queries).transpose(0, 1).unsqueeze(2) + keys.transpose(0, 1).unsqueeze(1)
        found: Tensor = self.score(torch.tanh(both)).squeeze(-1)
        return found


ATTENTIONS: dict[str, type[DotAttention]] = {
    "dot": DotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
}


def looked_up(scores: Tensor, memory: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of the memory [S, B, M] under the softmax of scores [B, T, S]; past a row's end counts 0."""
    lowest = torch.finfo(scores.dtype).min  # an infinity would make the softmax of an empty row NaN
    there = within(memory, lengths).squeeze(-1).t().unsqueeze(1)
    weights = scores.masked_fill(~there, lowest).softmax(-1)
    seen = torch.bmm(weights, memory.transpose(0, 1))
    return seen.transpose(0, 1), weights.transpose(0, 1)
