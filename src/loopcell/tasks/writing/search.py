"""Writing: from what an encoder made of the input to tokens, by beam search or by drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.tasks.config import Choice
from loopcell.tasks.networks.decoder import Encoded

Step = Callable[[Tensor, Encoded], tuple[Tensor, Encoded]]


class Rules(NamedTuple):
    """How an answer is written.

    Attributes:
        boundary: the token before the first and after the last one.
        longest: the most tokens of an answer, its end not counted.
        beam: K, hypotheses kept for each input.
        length_penalty: the exponent of the penalty.
        ngram_block: no sequence of so many tokens comes twice; 0 for no such rule.
        never: tokens that are not written.
    """

    boundary: int
    longest: int
    beam: int = 1
    length_penalty: float = 1.0
    ngram_block: int = 0
    never: tuple[int, ...] = ()


class Hypothesis(NamedTuple):
    """One answer.

    Attributes:
        tokens: without the end.
        log_probability: of the whole, its end included.
    """

    tokens: list[int]
    log_probability: float

    def score(self, penalty: float) -> float:
        """What hypotheses are compared by: log p / ((5 + n) / 6)^a, n tokens with the end.

        Wu et al.: Google's Neural Machine Translation System, 2016 (arXiv 1609.08144), equation 14.
        """
        return self.log_probability * float(((6 + len(self.tokens)) / 6) ** -penalty)


def beam_search(step: Step, encoded: Encoded, rules: Rules) -> list[list[Hypothesis]]:
    """The best hypotheses of each of B inputs, at most K of them, best first.

    All inputs and hypotheses are one batch of B * K rows; an input leaves it when K of its hypotheses have ended.

    Args:
        step: reads a token a row and gives log-probabilities [N, V + 1] of the next, and what is known then.
        encoded: what is known of B inputs.
        rules: how to write.
    """
    return _Beams(step, encoded, rules).run()


class _Beams:
    """The hypotheses of all inputs that are still being written, side by side.

    Attributes:
        open: [B'], the inputs that are not finished.
        sums: log-probabilities so far, [B', K].
        written: [T, B' * K].
    """

    def __init__(self, step: Step, encoded: Encoded, rules: Rules) -> None:
        self._step, self._rules = step, rules
        batch, device = encoded.context.shape[0], encoded.context.device
        self.open = torch.arange(batch, device=device)
        self.encoded = encoded.select(self.open.repeat_interleave(rules.beam))
        # At first all of an input's rows are the same: only one of them counts.
        self.sums = torch.full((batch, rules.beam), -torch.inf, device=device)
        self.sums[:, 0] = 0.0
        self.written = torch.empty((0, batch * rules.beam), dtype=torch.int64, device=device)
        self.last = torch.full((batch * rules.beam,), rules.boundary, device=device)
        self.ended: list[list[Hypothesis]] = [[] for _ in range(batch)]

    def run(self) -> list[list[Hypothesis]]:
        """Write until every input has its hypotheses."""
        while len(self.open):
            found, self.encoded = self._step(self.last, self.encoded)
            self._forbid(found)
            self._advance(found)
        penalty = self._rules.length_penalty
        return [sorted(some, key=lambda one: -one.score(penalty))[: self._rules.beam] for some in self.ended]

    def _forbid(self, found: Tensor) -> None:
        """Take away what may not come next from log-probabilities [B' * K, V + 1], in place."""
        demand_finite(found)
        if len(self.written) >= self._rules.longest:
            found[:, : self._rules.boundary] = -torch.inf  # nothing but the end
        else:
            forbid(found, self.written, self._rules)

    def _advance(self, found: Tensor) -> None:
        """Keep the best K of all continuations of each input; those that end are put aside."""
        beam, tokens = self._rules.beam, found.shape[1]
        totals = (self.sums.reshape(-1, 1) + found).view(len(self.open), beam * tokens)
        # Each of K rows may end once, so that among the best 2 K there are K that do not.
        best, place = totals.topk(min(2 * beam, totals.shape[1]))
        rows, token = place // tokens, place % tokens
        ends = token == self._rules.boundary
        rows = rows + torch.arange(len(self.open), device=rows.device).unsqueeze(1) * beam
        self._put_aside(best, rows, ends)
        going = (ends | best.isneginf()).int().argsort(stable=True)[:, :beam]
        self.sums = best.gather(1, going).masked_fill(ends.gather(1, going), -torch.inf)
        rows, token = rows.gather(1, going), token.gather(1, going)
        unfinished = torch.tensor(
            [len(self.ended[number]) < beam for number in self.open.tolist()], device=self.open.device
        )
        unfinished &= self.sums.isfinite().any(1)
        if bool(unfinished.all()):  # an input's rows share all but their state
            self.encoded = self.encoded._replace(state=self.encoded.state.select(rows.flatten()))
        else:
            self.open, self.sums, rows, token = (tensor[unfinished] for tensor in (self.open, self.sums, rows, token))
            self.encoded = self.encoded.select(rows.flatten())
        self.last = token.flatten()
        self.written = torch.cat([self.written[:, rows.flatten()], self.last.unsqueeze(0)])

    def _put_aside(self, best: Tensor, rows: Tensor, ends: Tensor) -> None:
        """Keep the hypotheses that end among the best K."""
        beam = self._rules.beam
        there = (ends & best.isfinite())[:, :beam].nonzero()
        numbers, columns = self.open[there[:, 0]].tolist(), self.written[:, rows[there[:, 0], there[:, 1]]].t().tolist()
        for number, tokens, total in zip(numbers, columns, best[there[:, 0], there[:, 1]].tolist(), strict=True):
            self.ended[number].append(Hypothesis(tokens, total))


def draw(
    step: Step, encoded: Encoded, rules: Rules, choice: Choice, generator: torch.Generator
) -> list[list[Hypothesis]]:
    """Draw `rules.beam` answers for each of B inputs, token by token; the likeliest first.

    Args:
        step: as in `beam_search`.
        encoded: what is known of B inputs.
        rules: how to write.
        choice: temperature, top-k and top-p.
        generator: draws, on the CPU.
    """
    from loopcell.tasks.sampling import probabilities

    batch, device = encoded.context.shape[0], encoded.context.device
    encoded = encoded.select(torch.arange(batch, device=device).repeat_interleave(rules.beam))
    rows = batch * rules.beam
    last = torch.full((rows,), rules.boundary, device=device)
    written = torch.empty((0, rows), dtype=torch.int64, device=device)
    sums, going = torch.zeros(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.bool)
    lengths = torch.zeros(rows, dtype=torch.int64)
    for count in range(rules.longest + 1):
        found, encoded = step(last, encoded)
        demand_finite(found)
        allowed = found.clone()
        forbid(allowed, written, rules)
        seen = allowed.isfinite().cpu()
        shares = [probabilities(row, choice, mask) for row, mask in zip(found, seen, strict=True)]
        last = torch.multinomial(torch.stack(shares), 1, generator=generator).squeeze(1).to(device)
        if count == rules.longest:
            last = torch.full_like(last, rules.boundary)
        drawn = found.cpu().double().gather(1, last.cpu().unsqueeze(1)).squeeze(1)
        sums += torch.where(going, drawn, 0.0)
        going &= (last != rules.boundary).cpu()
        lengths += going
        if not bool(going.any()):
            break
        written = torch.cat([written, last.unsqueeze(0)])
    columns = [column[:length] for column, length in zip(written.t().tolist(), lengths.tolist(), strict=True)]
    answers = [Hypothesis(tokens, total) for tokens, total in zip(columns, sums.tolist(), strict=True)]
    groups = [answers[start : start + rules.beam] for start in range(0, rows, rules.beam)]
    return [sorted(group, key=lambda one: -one.score(rules.length_penalty)) for group in groups]


def forbid(found: Tensor, written: Tensor, rules: Rules) -> None:
    """Set log-probabilities [N, V + 1] to minus infinity, in place, where a token may not follow [T, N]."""
    found[:, list(rules.never)] = -torch.inf
    # The end may follow anything, and stands again and again behind answers that have ended.
    found = found[:, : rules.boundary]
    size = rules.ngram_block
    if not size or len(written) < size:
        return
    windows = written.t().unfold(1, size, 1)
    again = (windows[..., :-1] == written[len(written) - size + 1 :].t().unsqueeze(1)).all(-1)
    again &= windows[..., -1] != rules.boundary
    rows, places = again.nonzero(as_tuple=True)
    found[rows, windows[rows, places, -1]] = -torch.inf


def demand_finite(found: Tensor) -> None:
    """Refuse to write with what is not a number."""
    if bool(found.isnan().any()) or bool(found.isposinf().any()):
        raise InputError("the model gives scores that are not finite: its weights are damaged")
