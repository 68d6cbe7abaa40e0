"""Ensembles of forecasters: networks that differ by their seeds, whose means and quantiles are averaged.

All hold out the same part of each series, the newest one: it is the most like what is to be forecast, and intervals
are calibrated on steps that none of the networks learned from. Averages of quantiles, level by level, keep the width
of their intervals, where those of a mixture widen (Lichtendahl, Grushka-Cockayne, Winkler: Is It Better to Average
Probabilities or Quantiles?, 2013).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from loopcell.errors import UsageError
from loopcell.layers import State
from loopcell.tasks.core.networks.ensemble import Ensemble, mean
from loopcell.tasks.forecasting.heads import Head, Mean
from loopcell.tasks.forecasting.network import ForecasterNetwork, Memory, SeriesNetwork
from loopcell.tasks.forecasting.segments import SegmentNetwork
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.forecasting.sizes import Sizes

OneNetwork: TypeAlias = ForecasterNetwork | SegmentNetwork


class MeanHead(Head):
    """The mean of what several networks say by the same head; their n numbers stand side by side in the last axis.

    Args:
        head: of each.
    """

    def __init__(self, head: Head) -> None:
        super().__init__(head.levels)
        self.head, self.numbers, self.located, self.point = head, head.numbers, head.located, head.point

    @property
    def counts(self) -> bool:  # type: ignore[override] # that of the head
        """Say whether values are counts."""
        return self.head.counts

    def loss(self, found: Tensor, true: Tensor, scale: Tensor) -> Tensor:
        """Refuse: each network learns by its own."""
        raise UsageError("the networks of an ensemble learn one by one, and have no common loss")

    def mean(self, found: Tensor) -> Tensor:
        """Return the mean of the expected values, [...]."""
        return mean([self.head.mean(part) for part in self._parts(found)])

    def quantiles(self, found: Tensor, scale: Tensor) -> Tensor:
        """Return the mean of the values at each level, [..., Q]; of counts the whole number next to it."""
        values = mean([self.head.quantiles(part, scale) for part in self._parts(found)])
        return torch.round(values * scale.unsqueeze(-1)) / scale.unsqueeze(-1) if self.counts else values

    def draw(self, found: Tensor, scale: Tensor) -> Tensor:
        """Draw from one of the distributions, each as likely; where only the mean is known, return that."""
        if isinstance(self.head, Mean):
            return self.mean(found)
        drawn = torch.stack([self.head.draw(part, scale) for part in self._parts(found)])
        return drawn.gather(0, torch.randint(len(drawn), (1, *drawn.shape[1:]), device=drawn.device))[0]

    def _parts(self, found: Tensor) -> tuple[Tensor, ...]:
        return torch.split(found, self.head.numbers, -1)


class ForecasterEnsemble(Ensemble, SeriesNetwork):
    """Several networks of forecasts as one.

    Args:
        make: makes a member.
        settings: of the forecaster, with the number of members.
        sizes: how many columns there are.
        head: of each member.
        steps: f.

    Attributes:
        shift: [f, K, Q], what is added to the mean of the quantiles, on the scale of the series; those of the members
            are for each alone.
    """

    shift: Tensor

    def __init__(
        self, make: Callable[[], nn.Module], settings: ForecasterSettings, sizes: Sizes, head: Head, steps: int
    ) -> None:
        super().__init__(make, settings.ensemble, settings, sizes, MeanHead(head), steps)
        first: Any = self.members[0]
        self.origins = first.origins
        self.register_buffer("shift", torch.zeros_like(first.shift))

    def start(self, first: Tensor) -> Memory:
        """Return the memory of series that begin with the values [B, K], which has the states of all members."""
        return _together([member.start(first) for member in self.learned()])

    def read(self, values: Tensor, covariates: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor, Memory]:
        """Read values [T, B, K] and covariates [T, B, P + Q] with each member.

        Returns:
            What each of them is to know of each step, side by side in the last axis; the last values at each step,
            which are the same for all; and the memory.
        """
        members = self.learned()
        memories = [None] * len(members) if memory is None else list(_apart(memory, len(members)))
        read = [member.read(values, covariates, own) for member, own in zip(members, memories, strict=True)]
        return torch.cat([outputs for outputs, _, _ in read], -1), read[0][1], _together([after for *_, after in read])

    def forecast(self, outputs: Tensor, windows: Tensor, known: Tensor) -> Tensor:
        """Return the numbers of all members for each value to come, side by side, [N, B, K, f, members * n]."""
        members = self.learned()
        own = outputs.chunk(len(members), -1)
        return torch.cat([member.forecast(part, windows, known) for member, part in zip(members, own, strict=True)], -1)


AnyNetwork: TypeAlias = OneNetwork | ForecasterEnsemble


def _together(memories: list[Memory]) -> Memory:
    """Return one memory with the recurrent states of all; what they know of the values is the same."""
    states = {
        f"{_prefix(number)}{name}": tensor
        for number, memory in enumerate(memories)
        for name, tensor in memory.recurrent.items()
    }
    return memories[0]._replace(recurrent=State(**states))


def _apart(memory: Memory, count: int) -> Iterator[Memory]:
    """Yield the memory of each member."""
    for number in range(count):
        prefix = _prefix(number)
        own = {name.removeprefix(prefix): one for name, one in memory.recurrent.items() if name.startswith(prefix)}
        yield memory._replace(recurrent=State(**own))


def _prefix(number: int) -> str:
    return f"member{number + 1}_"
