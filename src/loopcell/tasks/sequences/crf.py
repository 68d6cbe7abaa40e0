"""A linear-chain conditional random field over the labels of a sequence.

The score of labels y for a row of n steps is

    s(y) = start[y_1] + sum_t emission[t, y_t] + sum_{t>1} transition[y_{t-1}, y_t] + end[y_n]

and their probability exp(s(y)) / Z, with Z summed over all labellings by the forward algorithm.
Lafferty, McCallum, Pereira: Conditional Random Fields, 2001; on top of a recurrent network: Huang, Xu, Yu:
Bidirectional LSTM-CRF Models for Sequence Tagging, 2015 (arXiv 1508.01991).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LinearChainCRF(nn.Module):
    """Scores of the K labels' beginnings, ends and successions.

    Args:
        labels: K.

    Attributes:
        start: [K], end: [K], transition: [K, K] from the label before to the label after.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(labels))
        self.end = nn.Parameter(torch.zeros(labels))
        self.transition = nn.Parameter(torch.zeros(labels, labels))

    def log_likelihood(self, emissions: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-probability of each row's labels, [B].

        Args:
            emissions: [T, B, K].
            labels: int64 [T, B]; a negative one is not known, and summed over.
            lengths: [B]; a row of length 0 has the log-probability 0.
        """
        other = functional.one_hot(labels.clamp(min=0), len(self.start)) == 0
        ruled_out = other & (labels >= 0).unsqueeze(-1)
        known = self.log_partition(emissions.masked_fill(ruled_out, -torch.inf), lengths)
        return known - self.log_partition(emissions, lengths)

    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Return log Z of each row, [B], by the forward algorithm over [T, B, K]; 0 for a row of length 0."""
        if not len(emissions):
            return emissions.sum((0, 2))
        forward = self.start + emissions[0]
        for t in range(1, len(emissions)):
            through = (forward.unsqueeze(-1) + self.transition).logsumexp(1) + emissions[t]
            forward = torch.where((t < lengths).unsqueeze(-1), through, forward)
        return (forward + self.end).logsumexp(-1).masked_fill(lengths == 0, 0.0)

    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Return the probability of every label at every step given the whole row, [T, B, K]; zeros past its end.

        It is the derivative of log Z by the emission.
        """
        with torch.enable_grad():
            leaf = emissions.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.log_partition(leaf, lengths).sum(), leaf)
        return gradient

    @torch.no_grad()
    def best(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Return the most probable labels of each row, int64 [T, B], by Viterbi; 0 past a row's end."""
        steps, rows, _ = emissions.shape
        path = torch.zeros(steps, rows, dtype=torch.int64, device=emissions.device)
        if not steps:
            return path
        score, before = self.start + emissions[0], []
        for t in range(1, steps):
            candidates, best = (score.unsqueeze(-1) + self.transition).max(1)
            goes_on = (t < lengths).unsqueeze(-1)
            score = torch.where(goes_on, candidates + emissions[t], score)
            # Past a row's end every label comes from itself, so that the backtracking arrives at its end unchanged.
            before.append(torch.where(goes_on, best, torch.arange(len(self.start), device=best.device)))
        path[-1] = (score + self.end).argmax(-1)
        for t in range(steps - 1, 0, -1):
            path[t - 1] = before[t - 1].gather(1, path[t].unsqueeze(1)).squeeze(1)
        valid = torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths
        return path.masked_fill(~valid, 0)
