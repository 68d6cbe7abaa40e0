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


def beam_search(step: Step, encoded: Encoded, config: DecodingConfig) -> list[list[Hypothesis]]:
    """Find the best hypotheses of each of B inputs, at most K of them, best first.

    All inputs and hypotheses are one batch. After each step the likeliest K of all beginnings of an input go on, and
    among them the greedy one, so that no answer of greedy search is better than the best one here. Every one of them
    may also end there; an end takes no place of those that go on. A beginning is left when it can no longer become
    better than the last of the answers that are wanted, and an input when all of its beginnings are. A beam of 1 is
    greedy search.

    Args:
        step: reads one token per row and gives log-probabilities [N, V + 1] of the next, and what is known then.
        encoded: what is known of B inputs.
        config: how to write.

    Raises:
        InputError: scores of the model are not finite.
    """
    found = _Beams(step, encoded, config).run()
    if not all(found):
        raise InputError("the model gives every answer the probability 0: its weights are damaged")
    return found


class _Continuations(NamedTuple):
    """The continuations of each input's beginnings, [B', W] each, the likeliest first; the greedy one may be last.

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

    def __init__(self, step: Step, encoded: Encoded, config: DecodingConfig) -> None:
        self._step, self._config = step, config
        self._wanted = min(config.beam, config.answers or config.beam)
        batch, device = encoded.context.shape[0], encoded.context.device
        # Sums of many float32 numbers, and their order, would depend on the order of adding.
        kind = torch.float32 if device.type == "mps" else torch.float64
        self.open = torch.arange(batch, device=device)
        self.encoded = encoded
        self.sums = torch.zeros((batch, 1), device=device, dtype=kind)
        self.greedy = torch.zeros_like(self.open)
        self.bars = torch.full((batch,), torch.inf, device=device, dtype=kind)
        self.written = torch.empty((0, batch), dtype=torch.int64, device=device)
        self.last = torch.full((batch,), config.boundary, device=device)
        self.ended: list[list[tuple[float, Hypothesis]]] = [[] for _ in range(batch)]

    def run(self) -> list[list[Hypothesis]]:
        """Write until every input has its hypotheses."""
        while len(self.open):
            demand_end(self.written, self._config)
            found, self.encoded = self._step(self.last, self.encoded)
            demand_finite(found)
            forbid(found, self.written, self._config)
            self._advance(found)
        return [[one for _, one in some] for some in self.ended]

    def _advance(self, found: Tensor) -> None:
        """Put aside what ends and keep the best K of what goes on, with log-probabilities [B' * W, V + 1]."""
        likeliest = found[self._row_of(self.greedy)].argmax(1)
        stops = likeliest == self._config.boundary
        # Every beginning may end here: the end's log-probability is the last column, V.
        ends = self.sums + found[:, self._config.boundary].reshape(self.sums.shape)
        if self._config.beam == 1:
            # Greedy search ends where the end is the likeliest token, and only there.
            ends.masked_fill_(~stops.unsqueeze(1), -torch.inf)
        # First what ends: the answers that are kept raise the bar which those that go on are held to.
        self._put_aside(ends)
        kept = self._keep_greedy(self._continuations(found), found, likeliest)
        promising = self._promising(kept.sums)
        if self._config.beam == 1:
            promising &= ~stops.unsqueeze(1)
        self._go_on(kept, promising)

    def _continuations(self, found: Tensor) -> _Continuations:
        """Choose the likeliest of each input's beginnings with one token more, K at most; the end is none."""
        # The best K of an input are among the best K of each of its beginnings: W * K sums are compared, not W * V.
        values, tokens = largest(found[:, : self._config.boundary], self._config.beam)
        totals = (self.sums.reshape(-1, 1) + values).view(len(self.open), -1)
        sums, places = largest(totals, self._config.beam)
        # A beginning's continuations stand side by side in the W * K of its input, so the quotient is the beginning.
        return _Continuations(sums, places // values.shape[1], tokens.reshape(totals.shape).gather(1, places))

    def _keep_greedy(self, kept: _Continuations, found: Tensor, likeliest: Tensor) -> _Continuations:
        """Put the greedy beginning, which the likeliest token [B'] follows, in the last place where it has none."""
        goes_on = (self.greedy >= 0) & (likeliest != self._config.boundary)
        there = (kept.rows == self.greedy.unsqueeze(1)) & (kept.tokens == likeliest.unsqueeze(1))
        missing = goes_on & ~there.any(1)
        row = self._row_of(self.greedy)
        total = self.sums.flatten()[row] + found[row, likeliest]
        # The last place is the least likely of the K, and the greedy one is less likely still: the order holds.
        for tensor, value in zip(kept, (total, self.greedy, likeliest), strict=True):
            tensor[missing, -1] = value[missing]
        place = torch.where(missing, kept.sums.shape[1] - 1, there.int().argmax(1))
        self.greedy = torch.where(goes_on, place, -1)
        return kept

    def _promising(self, sums: Tensor) -> Tensor:
        """Tell which beginnings [B', W] may still become better than the last of the answers wanted.

        A log-probability only falls. Divided by the length's power it may rise until the answer is as long as it may
        be (or, where the exponent is negative, as short as it is now), and no higher.
        """
        tokens = self._config.max_length if self._config.length_penalty >= 0 else len(self.written) + 1
        return costs(sums, tokens, self._config.length_penalty) < self.bars.unsqueeze(1)

    def _go_on(self, kept: _Continuations, promising: Tensor) -> None:
        """Make those continuations the new beginnings, and leave the inputs that have none.

        Where a beginning promises nothing, none that is less likely does, and they stand behind it. One that another
        input's number of rows keeps takes no place of a better one: nothing that comes of it promises anything.
        """
        before = self.sums.shape
        # From a beginning's number within its input to its row in the batch of all.
        rows = kept.rows + self._first_rows()
        # As many rows as the input with the most promising beginnings needs; they come first, so the rest is cut off.
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
            # Some inputs have left, or W has changed: the memories that rows share have to be selected as well.
            self.encoded = self.encoded.select(rows.flatten())
        self.last = tokens.flatten()
        self.written = torch.cat([self.written[:, rows.flatten()], self.last.unsqueeze(0)])

    def _put_aside(self, totals: Tensor) -> None:
        """Keep those answers that end now, with log-probabilities [B', W], that are among the best ones wanted."""
        penalty = self._config.length_penalty
        found = costs(totals, len(self.written), penalty)
        # Only those below the bar leave the device; often there are none.
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
            if len(answers) == self._wanted:  # before that every answer is wanted, whatever its cost
                self.bars[place] = answers[-1][0]

    def _first_rows(self) -> Tensor:
        """Return the first row of each input, [B', 1]."""
        return torch.arange(len(self.open), device=self.open.device).unsqueeze(1) * self.sums.shape[1]

    def _row_of(self, beginning: Tensor) -> Tensor:
        """Return the row [B'] of a beginning of each input, the first one where there is none."""
        return self._first_rows().squeeze(1) + beginning.clamp(min=0)


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Find the largest `count` numbers of each row [N, M], or all M, in falling order, and their places.

    Of equal ones the first ones are taken; `topk` takes any of them, others in another batch.
    """
    count = min(count, values.shape[1])
    best, places = values.topk(count, 1)
    # Ties can only be cut at the last value that was taken. Where more of its equals are in the row than were taken,
    # a stable sort decides, which costs more and is rare; among minus infinities it does not matter.
    last = best[:, -1:]
    left_out = ((values == last).sum(1) > (best == last).sum(1)) & last.isfinite().squeeze(1)
    if bool(left_out.any()):
        best, places = values.sort(dim=1, descending=True, stable=True)
        return best[:, :count], places[:, :count]
    # In the order of their places first, so that the stable sort behind it puts the first of equal ones first.
    places = places.sort(dim=1).values
    best, order = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return best, places.gather(1, order)


def draw(
    step: Step,
    encoded: Encoded,
    decoding_config: DecodingConfig,
    sampling_config: SamplingConfig,
    generator: torch.Generator,
) -> list[list[Hypothesis]]:
    """Draw `decoding_config.beam` answers for each of B inputs, token by token; the likeliest first.

    Args:
        step: as in `beam_search`.
        encoded: what is known of B inputs.
        decoding_config: how to write.
        sampling_config: temperature, top-k and top-p.
        generator: draws, on the CPU.
    """
    batch, device = encoded.context.shape[0], encoded.context.device
    encoded = encoded.select(torch.arange(batch, device=device).repeat_interleave(decoding_config.beam))
    rows = batch * decoding_config.beam
    last = torch.full((rows,), decoding_config.boundary, device=device)
    written = torch.empty((0, rows), dtype=torch.int64, device=device)
    # Sums and draws are on the CPU, so that one seed gives one answer on every device.
    sums, going = torch.zeros(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.bool)
    lengths = torch.zeros(rows, dtype=torch.int64)
    for _ in range(decoding_config.max_length + 1):
        demand_end(written, decoding_config)
        found, encoded = step(last, encoded)
        demand_finite(found)
        # What is forbidden is not drawn, but the answer's log-probability is the model's own: `found` stays as it is.
        allowed = found.clone()
        forbid(allowed, written, decoding_config)
        seen = allowed.isfinite().cpu()
        shares = [probabilities(row, sampling_config, mask) for row, mask in zip(found, seen, strict=True)]
        last = torch.multinomial(torch.stack(shares), 1, generator=generator).squeeze(1).to(device)
        drawn = found.cpu().double().gather(1, last.cpu().unsqueeze(1)).squeeze(1)
        # The end counts too, and nothing after it: rows that have ended are drawn on, for the batch stays whole.
        sums += torch.where(going, drawn, 0.0)
        going &= (last != decoding_config.boundary).cpu()
        lengths += going
        if not bool(going.any()):
            break
        written = torch.cat([written, last.unsqueeze(0)])
    columns = [column[:length] for column, length in zip(written.t().tolist(), lengths.tolist(), strict=True)]
    answers = [Hypothesis(tokens, total) for tokens, total in zip(columns, sums.tolist(), strict=True)]
    groups = [answers[start : start + decoding_config.beam] for start in range(0, rows, decoding_config.beam)]
    return [sorted(group, key=lambda one: one.cost(decoding_config.length_penalty)) for group in groups]
