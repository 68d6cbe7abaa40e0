"""Figures of sequences: what their order tells, and that one set of weights reads any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy, one_hot

from figures.canvas import COLOURS, DASHES, GREY, axes
from figures.figure import Figure, Numbers, Words
from loopcell import Recurrent

STEPS, LETTERS, FARTHEST = 16, 6, 12
READ, ASKED = 20, 200  # steps in training, and steps afterwards


def _orders(count: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw batches of sequences [T, B] with one 0 and one 1 among other letters; whether 0 is first; their distance."""
    draw = torch.Generator().manual_seed(seed)
    while True:
        x = torch.randint(2, LETTERS, (STEPS, count), generator=draw)
        distance = torch.randint(1, FARTHEST + 1, (count,), generator=draw)
        # Neither stands at an end, where a missing neighbour would tell.
        first = 1 + (torch.rand(count, generator=draw) * (STEPS - 2 - distance)).long()
        answer = torch.randint(0, 2, (count,), generator=draw)
        rows = torch.arange(count)
        x[first, rows], x[first + distance, rows] = 1 - answer, answer
        yield x, answer.float(), distance


class _Counts(nn.Module):
    """A line over how often each letter, or each pair of neighbours, is there."""

    def __init__(self, neighbours: int) -> None:
        super().__init__()
        self.neighbours, self.kinds = neighbours, LETTERS**neighbours
        self.head = nn.Linear(self.kinds, 1)

    def forward(self, x: Tensor) -> Tensor:
        grams = x if self.neighbours == 1 else x[:-1] * LETTERS + x[1:]
        scores: Tensor = self.head(one_hot(grams, self.kinds).float().sum(0)).squeeze(-1)
        return scores


class _Reader(nn.Module):
    """An RNN that reads the letters, and a line over its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = Recurrent("rnn", LETTERS, 16), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.recurrent(one_hot(x, LETTERS).float())[0][-1]).squeeze(-1)
        return scores


def train(model: nn.Module, batches: Iterator[tuple[Tensor, ...]], updates: int, rate: float) -> nn.Module:
    """Train a model on as many batches (input, answers, ...) of yes and no; return it."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, updates)  # so that no last update spoils it
    for _, (x, answers, *_others) in zip(range(updates), batches, strict=False):
        loss = cross_entropy(model(x), answers)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        slower.step()
    return model


def _measure_order() -> Numbers:
    makers: dict[str, tuple[Callable[[], nn.Module], float]] = {
        "letters": (lambda: _Counts(1), 0.05),
        "pairs": (lambda: _Counts(2), 0.05),
        "rnn": (_Reader, 0.01),
    }
    x, answers, distances = next(_orders(4000, seed=2))
    found: dict[str, Any] = {"distance": list(range(1, FARTHEST + 1))}
    for name, (make, rate) in makers.items():
        model = train(make(), _orders(64, seed=1), 400, rate)
        with torch.no_grad():
            right = ((model(x) > 0) == (answers > 0)).float()
        found[name] = [round(float(right[distances == distance].mean()), 3) for distance in found["distance"]]
    return found


def _draw_order(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.6)
    for name, colour, dash, mark in zip(("rnn", "pairs", "letters"), COLOURS, DASHES, "os^", strict=False):
        axis.plot(numbers["distance"], numbers[name], dash, color=colour, marker=mark, markersize=4, label=words(name))
    axis.set(xlabel=words("distance"), ylabel=words("accuracy"), ylim=(0.4, 1.05), xticks=numbers["distance"])
    axis.legend(loc="center right", bbox_to_anchor=(1, 0.62))
    return figure


class _Stream(nn.Module):
    """An RNN that answers yes or no at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = Recurrent("rnn", 1, 16), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.recurrent(x)[0]).squeeze(-1)
        return scores


def _signs(question: str, steps: int, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw batches of -1 and 1, [T, B, 1], and what is true of those so far, [T, B].

    Args:
        question: "odd": is the number of ones odd; "more": are there more ones than the others.
        steps: T.
        count: B.
        seed: of what is drawn.
    """
    draw = torch.Generator().manual_seed(seed)
    while True:
        ones = torch.randint(0, 2, (steps, count), generator=draw)
        sums = (2 * ones - 1).cumsum(0)
        answers = ones.cumsum(0) % 2 if question == "odd" else sums > 0
        yield (2.0 * ones - 1).unsqueeze(-1), answers.float()


def _measure_lengths() -> Numbers:
    found: dict[str, Any] = {"trained on": READ}
    for question in ("odd", "more"):
        torch.manual_seed(0)
        model = train(_Stream(), _signs(question, READ, 64, seed=1), 600, 0.01)
        x, answers = next(_signs(question, ASKED, 1000, seed=2))
        with torch.no_grad():
            right = ((model(x) > 0) == (answers > 0)).float().mean(1)
        found[question] = [round(float(share), 3) for share in right]
    return found


def _draw_lengths(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.4)
    axis.axvspan(1, numbers["trained on"], color=GREY, alpha=0.25, linewidth=0)
    axis.text(numbers["trained on"] + 3, 0.53, words("steps in training"), fontsize=8)
    for question, colour, dash in zip(("odd", "more"), COLOURS, DASHES, strict=False):
        axis.plot(range(1, ASKED + 1), numbers[question], dash, color=colour, label=words(question))
    axis.set(xlabel=words("step"), ylabel=words("accuracy"), ylim=(0.45, 1.05), xlim=(1, ASKED))
    axis.legend(loc="lower right")
    return figure


ORDER = Figure("order", _measure_order, _draw_order, ("letters", "pairs", "rnn"), tolerance=0.1, quick=False)
ANY_LENGTH = Figure("any-length", _measure_lengths, _draw_lengths, ("odd", "more"), tolerance=0.15, quick=False)
