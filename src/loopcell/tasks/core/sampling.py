"""The distribution that the next token is drawn from."""

from __future__ import annotations

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.tasks.core.config import SamplingConfig


def probabilities(logits: Tensor, choice: SamplingConfig, seen: Tensor) -> Tensor:
    """Return the distribution that a token is drawn from.

    Args:
        logits: [V].
        choice: temperature, top-k and top-p, applied in this order.
        seen: bool [V]; a token that training never saw is never drawn.

    Returns:
        float64 [V] on the CPU, summing to one.
    """
    scores = logits.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(scores).all()):
        raise InputError("the model gives scores that are not finite: its weights are damaged")
    scores = scores.masked_fill(~seen, -torch.inf)
    scores = scores - scores.max()
    if choice.temperature == 0.0:
        return torch.zeros_like(scores).index_fill_(0, scores.argmax(), 1.0)
    scores = scores / choice.temperature
    ordered, order = scores.sort(descending=True, stable=True)
    shares = ordered.softmax(0)
    if choice.top_k is not None:
        shares[choice.top_k :] = 0.0
        shares = shares / shares.sum()
    if choice.top_p is not None:
        # A token stays while those before it have not yet reached the share.
        shares[shares.cumsum(0) - shares >= choice.top_p] = 0.0
        shares = shares / shares.sum()
    return torch.zeros_like(shares).scatter_(0, order, shares)
