"""Writing: from what an encoder made of the input to tokens, by beam search or by drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.sampling import probabilities
from loopcell.tasks.seq2seq.decoder import Encoded
from loopcell.tasks.seq2seq.decoding import (
    DecodingConfig,
    Hypothesis,
    costs,
    demand_end,
    demand_finite,
    forbid,
)

Step = Callable[[Tensor, Encoded], tuple[Tensor, Encoded]]


def beam_search(step: Step, encoded: Encoded, rules: DecodingConfig) -> list[list[Hypothesis]]:
    """Find the best hypotheses of each of B inputs, at most K of them, best first.

    All inputs and hypotheses are one batch. After each step the likeliest K of all beginnings of an input go on, and
    among them the greedy one, so that no answer of greedy search is better than the best one here. Every one of them
    may also end there; an end takes no place of those that go on. A beginning is left when it can no longer become
    better than the last of the answers that are wanted, and an input when all of its beginnings are. A beam of 1 is
    greedy search.

    Args:
        step: reads a token a row and gives log-probabilities [N, V + 1] of the next, and what is known then.
        encoded: what is known of B inputs.
        rules: how to write.

    Raises:
        InputError: scores of the model are not finite.
    """
    found = _Beams(step, encoded, rules).run()
    if not all(found):
        raise InputError("the model gives every answer the probability 0: its weights are damaged")
    return found


class _Continuations(NamedTuple):
    """What the beginnings of each input become, [B', W] each, the likeliest first; the greedy one may be the last.

    Attributes:
        sums: log-probabilities, minus infinity where there is none.
        rows: which of the input's beginnings it was.
        tokens: what follows it.
    """

    sums: Tensor
    rows: Tensor
    tokens: Tensor


class _Beams:
    """The hypotheses of all inputs that are still being written, side by side.

    Each input has W rows, as many as the one with the most needs, and K at most.

    Attributes:
        open: [B'], the inputs that are not finished.
        sums: log-probabilities so far, [B', W].
        greedy: [B'], which of the W is the greedy one; -1 where that one has ended or promises nothing.
        bars: [B'], the cost of the last of the answers that are wanted, of those that have ended.
        written: [T, B' * W].
        ended: the best answers of each of the B inputs so far, best first, with their costs.
    """

    def __init__(self, step: Step, encoded: Encoded, rules: DecodingConfig) -> None:
        self._step, self._rules = step, rules
        self._wanted = min(rules.beam, rules.answers or rules.beam)
        batch, device = encoded.context.shape[0], encoded.context.device
        # Sums of many float32 numbers, and their order, would depend on the order of adding.
        kind = torch.float32 if device.type == "mps" else torch.float64
        self.open = torch.arange(batch, device=device)
        self.encoded = encoded
        self.sums = torch.zeros((batch, 1), device=device, dtype=kind)
        self.greedy = torch.zeros_like(self.open)
        self.bars = torch.full((batch,), torch.inf, device=device, dtype=kind)
        self.written = torch.empty((0, batch), dtype=torch.int64, device=device)
        self.last = torch.full((batch,), rules.boundary, device=device)
        self.ended: list[list[tuple[float, Hypothesis]]] = [[] for _ in range(batch)]

    def run(self) -> list[list[Hypothesis]]:
        """Write until every input has its hypotheses."""
        while len(self.open):
            demand_end(self.written, self._rules)
            found, self.encoded = self._step(self.last, self.encoded)
            demand_finite(found)
            forbid(found, self.written, self._rules)
            self._advance(found)
        return [[one for _, one in some] for some in self.ended]

    def _advance(self, found: Tensor) -> None:
        """Put aside what ends and keep the best K of what goes on, with log-probabilities [B' * W, V + 1]."""
        choice = found[self._row_of(self.greedy)].argmax(1)
        stops = choice == self._rules.boundary
        ends = self.sums + found[:, self._rules.boundary].reshape(self.sums.shape)
        if self._rules.beam == 1:
            ends.masked_fill_(~stops.unsqueeze(1), -torch.inf)
        self._put_aside(ends)
        kept = self._keep_greedy(self._continuations(found), found, choice)
        promising = self._promising(kept.sums)
        if self._rules.beam == 1:
            promising &= ~stops.unsqueeze(1)
        self._go_on(kept, promising)

    def _continuations(self, found: Tensor) -> _Continuations:
        """Choose the likeliest of each input's beginnings with one token more, K at most; the end is none."""
        values, tokens = largest(found[:, : self._rules.boundary], self._rules.beam)
        totals = (self.sums.reshape(-1, 1) + values).view(len(self.open), -1)
        sums, places = largest(totals, self._rules.beam)
        return _Continuations(sums, places // values.shape[1], tokens.reshape(totals.shape).gather(1, places))

    def _keep_greedy(self, kept: _Continuations, found: Tensor, choice: Tensor) -> _Continuations:
        """Put the greedy beginning, which the likeliest token [B'] follows, in the last place where it has none."""
        goes_on = (self.greedy >= 0) & (choice != self._rules.boundary)
        there = (kept.rows == self.greedy.unsqueeze(1)) & (kept.tokens == choice.unsqueeze(1))
        missing = goes_on & ~there.any(1)
        row = self._row_of(self.greedy)
        total = self.sums.flatten()[row] + found[row, choice]
        for tensor, value in zip(kept, (total, self.greedy, choice), strict=True):
            tensor[missing, -1] = value[missing]
        place = torch.where(missing, kept.sums.shape[1] - 1, there.int().argmax(1))
        self.greedy = torch.where(goes_on, place, -1)
        return kept

    def _promising(self, sums: Tensor) -> Tensor:
        """Tell which beginnings [B', W] may still become better than the last of the answers wanted.

        A log-probability only falls. Divided by the length's power it may rise until the answer is as long as it may
        be (or, where the exponent is negative, as short as it is now), and no higher.
        """
        tokens = self._rules.max_length if self._rules.length_penalty >= 0 else len(self.written) + 1
        return costs(sums, tokens, self._rules.length_penalty) < self.bars.unsqueeze(1)

    def _go_on(self, kept: _Continuations, promising: Tensor) -> None:
        """Make those continuations the new beginnings, and leave the inputs that have none.

        Where a beginning promises nothing, none that is less likely does, and they stand behind it. One that another
        input's number of rows keeps takes no place of a better one: nothing that comes of it promises anything.
        """
        before = self.sums.shape
        rows = kept.rows + self._first_rows()
        width = int(promising.sum(1).amax())
        hopeless = ~promising.gather(1, self.greedy.clamp(min=0).unsqueeze(1)).squeeze(1)
        self.greedy = self.greedy.masked_fill(hopeless, -1)  # whatever other inputs need
        self.sums, rows, tokens = (tensor[:, :width] for tensor in (kept.sums, rows, kept.tokens))
        unfinished = promising.any(1)
        if bool(unfinished.all()) and self.sums.shape == before:  # an input's rows share all but their state
            self.encoded = self.encoded._replace(state=self.encoded.state.select(rows.flatten()))
        else:
            self.open, self.sums, rows, tokens, self.greedy, self.bars = (
                tensor[unfinished] for tensor in (self.open, self.sums, rows, tokens, self.greedy, self.bars)
            )
            self.encoded = self.encoded.select(rows.flatten())
        self.last = tokens.flatten()
        self.written = torch.cat([self.written[:, rows.flatten()], self.last.unsqueeze(0)])

    def _put_aside(self, totals: Tensor) -> None:
        """Keep those answers that end now, with log-probabilities [B', W], that are among the best ones wanted."""
        penalty = self._rules.length_penalty
        found = costs(totals, len(self.written), penalty)
        places = (found < self.bars.unsqueeze(1)).nonzero()
        if not len(places):
            return
        at, column = places.unbind(1)
        columns = self.written[:, at * totals.shape[1] + column].t().tolist()
        values = zip(at.tolist(), found[at, column].tolist(), columns, totals[at, column].tolist(), strict=True)
        numbers = self.open.tolist()
        for place, cost, tokens, total in values:
            answers = self.ended[numbers[place]]
            answers.append((cost, Hypothesis(tokens, total)))
            answers.sort(key=lambda one: one[0])  # a stable order: of equal ones that which was found first
            del answers[self._wanted :]
            if len(answers) == self._wanted:
                self.bars[place] = answers[-1][0]

    def _first_rows(self) -> Tensor:
        """The first row of each input, [B', 1]."""
        return torch.arange(len(self.open), device=self.open.device).unsqueeze(1) * self.sums.shape[1]

    def _row_of(self, beginning: Tensor) -> Tensor:
        """The row [B'] of a beginning of each input, the first one where there is none."""
        return self._first_rows().squeeze(1) + beginning.clamp(min=0)


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Find the largest `count` numbers of each row [N, M], or all M, in falling order, and their places.

    Of equal ones the first ones are taken; `topk` takes any of them, others in another batch.
    """
    count = min(count, values.shape[1])
    best, places = values.topk(count, 1)
    last = best[:, -1:]
    left_out = ((values == last).sum(1) > (best == last).sum(1)) & last.isfinite().squeeze(1)
    if bool(left_out.any()):
        best, places = values.sort(dim=1, descending=True, stable=True)
        return best[:, :count], places[:, :count]
    places = places.sort(dim=1).values
    best, order = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return best, places.gather(1, order)


def draw(
    step: Step, encoded: Encoded, rules: DecodingConfig, choice: SamplingConfig, generator: torch.Generator
) -> list[list[Hypothesis]]:
    """Draw `rules.beam` answers for each of B inputs, token by token; the likeliest first.

    Args:
        step: as in `beam_search`.
        encoded: what is known of B inputs.
        rules: how to write.
        choice: temperature, top-k and top-p.
        generator: draws, on the CPU.
    """
    batch, device = encoded.context.shape[0], encoded.context.device
    encoded = encoded.select(torch.arange(batch, device=device).repeat_interleave(rules.beam))
    rows = batch * rules.beam
    last = torch.full((rows,), rules.boundary, device=device)
    written = torch.empty((0, rows), dtype=torch.int64, device=device)
    sums, going = torch.zeros(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.bool)
    lengths = torch.zeros(rows, dtype=torch.int64)
    for _ in range(rules.max_length + 1):
        demand_end(written, rules)
        found, encoded = step(last, encoded)
        demand_finite(found)
        allowed = found.clone()
        forbid(allowed, written, rules)
        seen = allowed.isfinite().cpu()
        shares = [probabilities(row, choice, mask) for row, mask in zip(found, seen, strict=True)]
        last = torch.multinomial(torch.stack(shares), 1, generator=generator).squeeze(1).to(device)
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
    return [sorted(group, key=lambda one: one.cost(rules.length_penalty)) for group in groups]
