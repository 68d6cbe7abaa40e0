"""The network's futures after some places of a series, by either of two ways.

Direct: all f steps at once, from what was read. Roll-out: one step, which is then read as if it had been observed, and
so on; of many paths, each with draws of its own, quantiles are counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.layers import State
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.forecasting.network import Memory, SeriesNetwork
from loopcell.tasks.forecasting.scaled import ScaledSeries

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

BLOCK = 1024  # steps that are read at once
ROWS = 4096  # paths that are followed at once


class ForecastBatch(NamedTuple):
    """Forecasts of N places, on the scale of the series: the mean [N, f, K], and quantiles [N, f, K, Q]."""

    mean: Floats
    quantiles: Floats


class Cursor(NamedTuple):
    """The network after a step: output [1, R, O] (or [1, B, ...]), the last values [1, B, K, d], and its memory."""

    output: Tensor
    window: Tensor
    memory: Memory


class Strategy(ABC):
    """A way to look ahead from the places `now` of a series, the first steps of the futures: 1, ..., steps."""

    @abstractmethod
    def __call__(
        self, network: SeriesNetwork, one: ScaledSeries, places: Places, memory: Memory | None = None
    ) -> tuple[ForecastBatch, Memory]:
        """Return the futures of rising places, and the memory after the last step that has been."""


@dataclass(frozen=True)
class Direct(Strategy):
    """All steps at once."""

    def __call__(
        self, network: SeriesNetwork, one: ScaledSeries, places: Places, memory: Memory | None = None
    ) -> tuple[ForecastBatch, Memory]:
        """Make one pass over the series, whatever the number of places."""
        found: list[ForecastBatch] = []
        for _, futures, after in self.blocks(network, one, places, memory):
            memory = after
            found.append(futures)
        assert memory is not None
        return ForecastBatch(*(np.concatenate([part[which] for part in found]) for which in (0, 1))), memory

    def blocks(
        self, network: SeriesNetwork, one: ScaledSeries, places: Places, memory: Memory | None = None
    ) -> Iterator[tuple[Places, ForecastBatch, Memory]]:
        """Yield the same block by block: some of the places, their futures, and the memory after the block."""
        for start in range(0, one.steps, BLOCK):
            stop = min(start + BLOCK, one.steps)
            outputs, windows, memory = read_steps(network, one, slice(start, stop), memory)
            here = places[(places > start) & (places <= stop)]
            at = torch.from_numpy(here - 1 - start).to(outputs.device)
            known = _known(network, one, here).to(outputs.device)
            raw = network.forecast(outputs[at], windows[at], known)
            yield here, _futures(network, raw, one), memory


@dataclass(frozen=True)
class RollOut(Strategy):
    """Step by step, along drawn paths.

    Attributes:
        horizon: f.
        paths: how many; a head that knows the mean only needs one.
    """

    horizon: int
    paths: int

    def __call__(
        self, network: SeriesNetwork, one: ScaledSeries, places: Places, memory: Memory | None = None
    ) -> tuple[ForecastBatch, Memory]:
        """Read up to each place, and go on from there."""
        at_once = max(1, ROWS // self.paths)
        points = list(_points(network, one, [*places.tolist(), one.steps], memory))
        found = []
        for first in range(0, len(places), at_once):
            here = slice(first, min(first + at_once, len(places)))
            found.append(self._rolled(network, one, places[here], points[here]))
        parts = (np.concatenate([part[which] for part in found]) for which in (0, 1))
        return ForecastBatch(*parts), points[-1].memory

    def _rolled(self, network: SeriesNetwork, one: ScaledSeries, places: Places, points: list[Cursor]) -> ForecastBatch:
        """Return the futures of some places, each along all paths; rows of the batch are [place, path]."""
        point = _side_by_side([point for point in points for _ in range(self.paths)])
        scale = torch.from_numpy(one.scale.size).to(point.window)
        steps = []
        for ahead in range(self.horizon):
            known = torch.from_numpy(one.known[places + ahead]).to(point.window).repeat_interleave(self.paths, 0)
            raw = network.forecast(point.output, point.window, known[None, :, None])
            value = network.head_kind.draw(raw, scale.unsqueeze(-1))[..., 0]  # [1, places * paths, K]
            steps.append(value[0].reshape(-1, self.paths, value.shape[-1]))
            point = Cursor(*_last(*network.read(value, known[None], point.memory)))
        drawn = torch.stack(steps, 2).double().cpu().numpy()  # [places, paths, f, K]
        levels = network.head_kind.levels if self.paths > 1 else ()
        method: Any = "inverted_cdf" if network.head_kind.counts else "linear"  # between two counts there is none
        quantiles = np.quantile(drawn, levels, axis=1, method=method) if levels else np.empty((0, *drawn[:, 0].shape))
        return ForecastBatch(drawn.mean(1), np.moveaxis(quantiles, 0, -1))


def read_steps(
    network: SeriesNetwork, one: ScaledSeries, steps: slice, memory: Memory | None
) -> tuple[Tensor, Tensor, Memory]:
    """Read some steps of a series, as a batch of one; what comes out is that of `SeriesNetwork.read`."""
    covariates = np.concatenate([one.known[steps], one.past[steps]], axis=1)
    device = device_of(network)
    values, numbers = (torch.from_numpy(part).unsqueeze(1).to(device) for part in (one.values[steps], covariates))
    return network.read(values, numbers, memory)


def _last(outputs: Tensor, windows: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Memory]:
    return outputs[-1:], windows[-1:], memory


def _points(network: SeriesNetwork, one: ScaledSeries, places: list[int], memory: Memory | None) -> Iterator[Cursor]:
    """Yield the network at each of some rising places."""
    start, point = 0, None
    for place in places:
        for begin in range(start, place, BLOCK):
            point = Cursor(*_last(*read_steps(network, one, slice(begin, min(begin + BLOCK, place)), memory)))
            memory = point.memory
        assert point is not None
        yield point
        start = place


def _side_by_side(points: list[Cursor]) -> Cursor:
    memories = [point.memory for point in points]
    names = list(memories[0].recurrent)
    state = State(**{name: torch.cat([memory.recurrent[name] for memory in memories], 1) for name in names})
    recent = torch.cat([memory.recent for memory in memories], 1)
    aged = any(memory.ages is not None for memory in memories)
    ages = [torch.zeros_like(memory.recent) if memory.ages is None else memory.ages for memory in memories]
    timed = any(memory.passed is not None for memory in memories)
    passed = [torch.ones_like(one.recent[..., 0]) if one.passed is None else one.passed for one in memories]
    return Cursor(
        torch.cat([point.output for point in points], 1),
        torch.cat([point.window for point in points], 1),
        Memory(recent, state, torch.cat(ages, 1) if aged else None, torch.cat(passed, 1) if timed else None),
    )


def _known(network: SeriesNetwork, one: ScaledSeries, places: Places) -> Tensor:
    """Return what is known of the f steps after each place, [N, 1, f, P]."""
    # A look past the end of the series is one of which only the first steps are asked for.
    steps = np.minimum(places[:, None] + np.arange(network.steps), len(one) - 1)
    return torch.from_numpy(one.known[steps]).unsqueeze(1)


def _futures(network: SeriesNetwork, raw: Tensor, one: ScaledSeries) -> ForecastBatch:
    """Return the mean and quantiles of [N, 1, K, f, n]."""
    head = network.head_kind
    scale = torch.from_numpy(one.scale.size).to(raw).unsqueeze(-1).expand(raw.shape[:-1])
    mean, quantiles = head.mean(raw)[:, 0], head.quantiles(raw, scale)[:, 0]
    return ForecastBatch(mean.transpose(1, 2).double().cpu().numpy(), quantiles.transpose(1, 2).double().cpu().numpy())
