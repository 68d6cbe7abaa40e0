"""LookAhead: the forecasts of a trained network, with quantiles that were calibrated and that follow the values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch

from loopcell.errors import InputError
from loopcell.tasks.core.estimator.engine import private_randomness
from loopcell.tasks.forecasting.coverage import Tracked, follow, kept_inside, tracked
from loopcell.tasks.forecasting.ensembles import AnyNetwork
from loopcell.tasks.forecasting.network import Memory
from loopcell.tasks.forecasting.scaled import ScaledSeries, of
from loopcell.tasks.forecasting.seen import Seen, first_unseen
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.forecasting.state import StoredHistory
from loopcell.tasks.forecasting.strategies import Direct, Floats, ForecastBatch, Places, RollOut, Strategy


@dataclass(frozen=True)
class LookAhead:
    """The futures of places of a series, on its scale.

    Attributes:
        network: trained.
        settings: of the forecaster.
        seen: the part of each series, by name, that training saw: quantiles do not follow it.
    """

    network: AnyNetwork
    settings: ForecasterSettings
    seen: Mapping[str, Seen] = field(default_factory=dict)

    def __call__(
        self, one: ScaledSeries, places: Places, before: StoredHistory | None = None
    ) -> tuple[ForecastBatch, Memory, Tracked | None]:
        """Return the futures of places, each mean within its interval, and what is to be kept after the last step.

        Raises:
            InputError: a forecast is no number.
        """
        futures, memory, seen = self._moved(one, places, before)
        if not (np.isfinite(futures.mean).all() and np.isfinite(futures.quantiles).all()):
            raise InputError(
                f"{of(one.series.name)}: the forecast is not a number: a value of the history is far beyond those of "
                "training, or the weights are damaged"
            )
        head = self.network.head_kind
        if self.settings.roll_out or head.counts:  # there the mean is that of the very distribution of the quantiles
            return futures, memory, seen
        return ForecastBatch(kept_inside(*futures, head.levels), futures.quantiles), memory, seen

    def trained_on(self, one: ScaledSeries, before: StoredHistory | None) -> bool:
        """Return whether a series, as it is read from its beginning on, is one that training had."""
        part = self.seen.get(one.series.name)
        return part is not None and (part.begins(one.series) if before is None else before.trained_on)

    def fits(self, before: StoredHistory) -> bool:
        """Return whether a state could be this model's."""
        seen = before.tracked is None or before.tracked.shift.shape == self.network.shift.shape
        return seen and self.network.remembers(before.memory)

    def _moved(
        self, one: ScaledSeries, places: Places, before: StoredHistory | None
    ) -> tuple[ForecastBatch, Memory, Tracked | None]:
        """Return the same with the mean as the network gives it; the quantiles are those that calibration moved."""
        memory, kept = (None, None) if before is None else (before.memory, before.tracked)
        drawing = private_randomness(0) if self.settings.roll_out else nullcontext()  # it takes longer than a step
        with torch.no_grad(), drawing:
            if self._follows():
                unseen = first_unseen(one.series, self.seen[one.series.name]) if self.trained_on(one, before) else 0
                return self._followed(one, places, memory, kept or tracked(self._shift()), unseen)
            futures, memory = self._strategy()(self.network, one, places, memory)
        if self.settings.roll_out:  # of any number of steps, and never calibrated
            return futures, memory, None
        return ForecastBatch(futures.mean, np.sort(futures.quantiles + self._shift(), -1)), memory, None

    def _followed(
        self, one: ScaledSeries, places: Places, memory: Memory | None, kept: Tracked, unseen: int
    ) -> tuple[ForecastBatch, Memory, Tracked]:
        """Return the same with quantiles that follow the values from step `unseen` on.

        So there is a forecast after every step.
        """
        first = self.network.history if memory is None else 1
        every = np.arange(min(first, int(places[0])), one.steps + 1)
        found: list[ForecastBatch] = []
        for here, futures, after in Direct().blocks(self.network, one, every, memory):
            memory = after
            there = np.isfinite(one.series.target[here - 1]) & (here > unseen)[:, None]
            came = np.where(there, one.values[here - 1].astype(np.float64), np.nan)
            levels = self.network.head_kind.levels
            quantiles, kept = follow(kept, futures.quantiles, came, levels, float(self.settings.adapt_rate))
            wanted = places[np.minimum(np.searchsorted(places, here), len(places) - 1)] == here  # both rise
            found.append(ForecastBatch(futures.mean[wanted], quantiles[wanted]))
        assert memory is not None
        return ForecastBatch(*(np.concatenate([part[which] for part in found]) for which in (0, 1))), memory, kept

    def _strategy(self) -> Strategy:
        settings = self.settings
        if not settings.roll_out:
            return Direct()
        return RollOut(int(settings.horizon), 1 if settings.head == "mean" else int(settings.paths))

    def _follows(self) -> bool:
        head = self.network.head_kind
        return self.settings.adapt_rate > 0 and not self.settings.roll_out and not head.counts and len(head.levels) > 1

    def _shift(self) -> Floats:
        found: Floats = self.network.shift.double().cpu().numpy()
        return found
