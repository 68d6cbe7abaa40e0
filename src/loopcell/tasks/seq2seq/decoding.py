"""The limits on an answer, and the order in which answers are better than others."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.data.limits import LONGEST_ANSWER
from loopcell.errors import InputError


class DecodingConfig(NamedTuple):
    """The terms on which an answer is written.

    Attributes:
        boundary: the token before the first and after the last one.
        max_length: the most tokens of an answer, its end not counted.
        beam: K, hypotheses kept for each input.
        length_penalty: the exponent of the penalty.
        ngram_block: no sequence of so many tokens comes twice; 0 for no such rule.
        never: tokens that are not written.
        min_length: the fewest tokens of an answer, its end not counted; fewer only where no token may follow.
        answers: so many of the best are wanted, K at most; None for K.
        limit: an error ends an answer that is as long; None where `max_length` comes from training and not from a file.
    """

    boundary: int
    max_length: int
    beam: int = 1
    length_penalty: float = 1.0
    ngram_block: int = 0
    never: tuple[int, ...] = ()
    min_length: int = 0
    answers: int | None = None
    limit: int | None = None


WIDE = 64  # a beam as wide costs hardly more time than a narrow one


class Hypothesis(NamedTuple):
    """One answer.

    Attributes:
        tokens: without the end.
        log_probability: of the whole, its end included.
    """

    tokens: list[int]
    log_probability: float

    def score(self, penalty: float) -> float:
        """Return the score that hypotheses are compared by: log p / ((5 + n) / 6)^a, n tokens with the end.

        Wu et al.: Google's Neural Machine Translation System, 2016 (arXiv 1609.08144), equation 14.
        """
        return self.log_probability * float(((6 + len(self.tokens)) / 6) ** -penalty)

    def cost(self, penalty: float) -> float:
        """Return the cost, whose order is that of `costs`, the least first."""
        return float(costs(torch.tensor(self.log_probability, dtype=torch.float64), len(self.tokens), penalty))


def costs(log_probabilities: Tensor, tokens: int, penalty: float) -> Tensor:
    """Give log(-score) of answers of so many tokens: the better answer has the lower cost.

    The score itself becomes 0 for every long answer where the exponent is large; its logarithm still tells them apart.
    """
    return (-log_probabilities).clamp(min=0.0).log() - penalty * math.log((6 + tokens) / 6)


def forbid(found: Tensor, written: Tensor, config: DecodingConfig) -> None:
    """Set log-probabilities [N, V + 1] to minus infinity, in place, where a token may not follow [T, N]."""
    tokens = found[:, : config.boundary]
    if len(written) >= config.max_length:
        tokens.fill_(-torch.inf)  # nothing but the end
        return
    found[:, list(config.never)] = -torch.inf
    _forbid_repetition(tokens, written, config)
    if len(written) < config.min_length:
        found[tokens.isfinite().any(1), config.boundary] = -torch.inf


def _forbid_repetition(tokens: Tensor, written: Tensor, config: DecodingConfig) -> None:
    """Forbid the token [N, V] that would end a sequence of `ngram_block` tokens that is there already."""
    size = config.ngram_block
    if not size or len(written) < size:
        return
    windows = written.t().unfold(1, size, 1)
    again = (windows[..., :-1] == written[len(written) - size + 1 :].t().unsqueeze(1)).all(-1)
    # The end stands again and again behind answers that have ended.
    again &= windows[..., -1] != config.boundary
    rows, places = again.nonzero(as_tuple=True)
    tokens[rows, windows[rows, places, -1]] = -torch.inf


def longest_unasked(beam: int) -> int:
    """Return the most tokens of an answer where only a file says so: fewer in a beam that only a file makes wide."""
    return max(1, LONGEST_ANSWER.most() * WIDE // max(WIDE, beam))


def demand_end(written: Tensor, config: DecodingConfig) -> None:
    """Refuse to write on and on where only a file says how long an answer may be: to say a million costs it nothing.

    Raises:
        InputError: some of the answers [T, B * K] have not ended after as many tokens as the limit allows.
    """
    if config.limit is not None and config.limit <= len(written) < config.max_length:
        raise InputError(
            f"an answer has {config.limit:,} tokens and does not end: give max_length for shorter ones; "
            f"{LONGEST_ANSWER.cure()}"
        )


def demand_finite(found: Tensor) -> None:
    """Refuse to write with what is not a number."""
    if bool(found.isnan().any()) or bool(found.isposinf().any()):
        raise InputError("the model gives scores that are not finite: its weights are damaged")
