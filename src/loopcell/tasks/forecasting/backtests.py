"""BacktestedEstimator: forecasts from places of the past beside what came, and their scores."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from loopcell.data import Series
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.columns import usual_season
from loopcell.tasks.forecasting.elapsed import told_ahead_note
from loopcell.tasks.forecasting.ensembles import AnyNetwork
from loopcell.tasks.forecasting.estimator import SeriesEstimator, Span
from loopcell.tasks.forecasting.explaining import Explanation, demand_step, explained
from loopcell.tasks.forecasting.inspecting import chosen, column_of
from loopcell.tasks.forecasting.network import Memory
from loopcell.tasks.forecasting.own_scales import (
    first_rows_note,
    first_with_values,
    no_values_note,
    runs_of_places,
)
from loopcell.tasks.forecasting.results import Backtest, joined
from loopcell.tasks.forecasting.scaled import ScaledSeries, of
from loopcell.tasks.forecasting.scores import scored
from loopcell.tasks.forecasting.settings import RefitName
from loopcell.tasks.forecasting.splits import of_part, span_of
from loopcell.tasks.forecasting.starts import demand_steps_between, span_between
from loopcell.tasks.forecasting.still import Flags
from loopcell.tasks.forecasting.strategies import ForecastBatch, Places


class BacktestedEstimator(SeriesEstimator):
    """An estimator whose forecasts of the past are held against what came."""

    network_: AnyNetwork
    horizon: int
    season: int | None

    def backtest(
        self,
        data: Any,
        *,
        start: Any = None,
        end: Any = None,
        stride: int = 1,
        windows: int | None = None,
        refit: RefitName | None = None,
        refit_every: int = 1,
        random_state: int | None = None,
    ) -> list[Backtest]:
        """Forecast from place after place of each series, from what was known there, beside what came.

        The network reads a series once, whatever the number of places, and quantiles follow only what had come by then.
        A series that training did not have is on the scale of the rows before the first place, as `predict` of these
        has it; what had not varied by then, and does so later, is read anew on the scale of what came up to there.

        Args:
            data: the series, history included.
            start: the first step that is to be forecast: a time, or a number of steps, from the end if negative. None
                takes the first one with `history` steps before it.
            end: the first step after all that are to be forecast, as `start`; None for the end of the series.
            stride: steps from one place to the next.
            windows: only the last so many places of each series; None for all.
            refit: train a copy of the model anew before a place, on all steps before it: "warm" from its weights,
                "full" from nothing, as `fit` does. None leaves the model as it is. The model itself stays.
            refit_every: places of a series from one training to the next.
            random_state: the seed of these trainings; None for that of the model's own. `notes_` says which.

        Raises:
            DataError: no series has a place to forecast from, or with `refit` too little stands before the first one.
            UsageError: a number is below 1, `refit` is none of these, or there is a seed for no training.
        """
        for name, number in (("stride", stride), ("windows", windows), ("refit_every", refit_every)):
            if number is not None and number < 1:
                raise UsageError(f"{name} is at least 1, got {number}")
        if refit not in (None, "warm", "full"):
            raise UsageError(f"refit is None, 'warm' or 'full', got {refit!r}")
        if refit is None and random_state is not None:
            raise UsageError("random_state is the seed of what refit= trains anew, and without it nothing is drawn")
        series = self._read_table(data)
        demand_steps_between(series, start, end)
        places = self._places(series, [span_between(one, start, end) for one in series], stride, windows)
        if refit is None:
            return self._looked_back(series, places)
        seed = self.random_state_ if random_state is None else random_state
        self._note([f"the copies of refit={refit!r} are trained with random_state={seed}, which repeats them"])
        parts = [
            model._looked_back(series, some)  # noqa: SLF001 - of a copy of itself
            for model, some in self._refitted(series, places, (refit, seed), refit_every)
        ]
        return joined([found for part in parts for found in part])

    def evaluate(
        self,
        data: Any,
        *,
        start: Any = None,
        end: Any = None,
        stride: int = 1,
        windows: int | None = None,
        refit: RefitName | None = None,
        refit_every: int = 1,
        random_state: int | None = None,
    ) -> ScoreTable:
        """Measure errors, quantile loss and coverage of a backtest, beside the last value and that a season ago.

        Args:
            data: the series, history included; arguments as in `backtest`.
            start: leave out what training has seen.
            end: leave out what comes later.
            stride: steps from one place to the next.
            windows: only the last so many places of each series.
            refit: train a copy anew before a place: "warm" or "full".
            refit_every: places from one training to the next.
            random_state: the seed of what is trained anew.
        """
        asked: dict[str, Any] = {"start": start, "end": end, "stride": stride, "windows": windows}
        asked |= {"refit": refit, "refit_every": refit_every, "random_state": random_state}
        found = self.backtest(data, **asked)
        return self._scored(found)

    def explain(
        self,
        data: Any,
        *,
        series: str | int | None = None,
        target: str | None = None,
        step: int | None = None,
        places: int = 16,
    ) -> Explanation:
        """Say which columns and which lags the last forecasts of a series stand on.

        Args:
            data: the series, as `predict` takes it.
            series: the name of the series, or its number in the table from 0; None where there is one only.
            target: the column that is forecast; None takes the first.
            step: how far ahead, from 1; None for the mean over the horizon.
            places: from so many of the last places, at most, of which each has its future in the table.

        Raises:
            DataError: there is no place with `history` steps before it and `horizon` after it.
            UsageError: there is no such series, target or step.
        """
        if places < 1:
            raise UsageError(f"places is at least 1, got {places}")
        self._fitted()
        found, column = chosen(self._read_table(data), series), column_of(self.targets_, target)
        demand_step(step, self.network_.steps)
        (here,) = self._places([found], [(0, len(found))], windows=places)
        names = [*self.covariates_.of_known(), *self.covariates_.of_static(), *self.covariates_.of_past()]
        self._note(first_rows_note([(found, int(here[0]))], self.names_))
        return explained(self.network_, self._scaled_before(found, here), here, names, (column, step))

    def score(self, data: Any, y: Any = None) -> float:
        """Return minus the mean squared error of a backtest on the model's scale: larger is better; y as in `fit`."""
        self._refuse_targets(y)
        return -float(self.evaluate(data).model["scaled MSE"])

    def score_held_out(self, data: Any, validation: Any = None) -> ScoreTable | None:
        """Return the metrics on the part by which `fit` with the same tables chose the weights; None without one.

        With a `split` of three parts they are those of the test part, which nothing was chosen by.
        """
        if validation is not None:
            return self.evaluate(validation)
        series = self._read_table(data)
        split = checked(self).split
        if split is not None:
            spans = [span_of(one, split, int(self.horizon)) for one in series]
            return of_part(self._scored(self._backtests(series, spans)), split)
        spans = [(cut, one.steps) for cut, one in zip(self._cuts, series, strict=True)]
        if not any(end - start >= int(self.horizon) for start, end in spans):
            return None
        return self._scored(self._backtests(series, spans))

    def _scored(self, found: Sequence[Backtest]) -> ScoreTable:
        timed = self.covariates_.elapsed is not None
        return scored(found, self.season or usual_season(self.step_), timed=timed)

    # --- places ----------------------------------------------------------------------------------------------------

    def _backtests(self, series: Sequence[Series], spans: Sequence[Span]) -> list[Backtest]:
        return self._looked_back(series, self._places(series, spans))

    def _places(
        self, series: Sequence[Series], spans: Sequence[Span], stride: int = 1, windows: int | None = None
    ) -> list[Places]:
        """Return the places of each series to forecast from, rising; DataError where there is none at all."""
        history, horizon, found = self.network_.history, int(self.horizon), []
        for one, (first, end) in zip(series, spans, strict=True):
            last = min(end, one.steps) - horizon
            here = np.arange(max(first, history), last + 1, stride)
            found.append(here if windows is None else here[-windows:])
        if not any(map(len, found)):
            parts = (min(end, one.steps) - first for one, (first, end) in zip(series, spans, strict=True))
            between = max(parts, default=0)
            longest = max(map(len, series), default=0)
            part = f", of which {max(0, between)} are from start to end" if between < longest else ""
            raise DataError(
                f"there is no place to forecast from: that takes {history} steps before it (history) and {horizon} "
                f"after it (horizon), and the longest series has {longest}{part}"
            )
        return found

    def _looked_back(self, series: Sequence[Series], places: Sequence[Places]) -> list[Backtest]:
        """Return the forecasts of places, of each series that has any."""
        pairs = [(one, here) for one, here in self._with_values(series, places) if len(here)]
        firsts = first_rows_note([(one, int(here[0])) for one, here in pairs], self.names_)
        self._note([*firsts, *told_ahead_note(self.covariates_.elapsed)])
        return [self._looked_back_at(one[: int(here[-1]) + int(self.horizon)], here) for one, here in pairs]

    def _looked_back_at(self, past: Series, places: Places) -> Backtest:
        """Return the forecasts of places of one series, of which nothing comes after the last one."""
        found, levels = [], self.network_.head_kind.levels
        size = self._scale(past).size
        for some in runs_of_places(past.target, places, self._unscaled(past)):
            ready = self._scaled_before(past, some)
            mean, quantiles = self._in_units(ready, some, self._look(ready, some)[0])
            found.append(Backtest(past, some, mean, levels, quantiles, size))
        return joined(found)[0]

    def _scaled_before(self, series: Series, places: Places) -> ScaledSeries:
        """Return a series on its scale; where training taught none, on that of what stands before the first place."""
        return self._scaled(series, self._scale(series[: int(places[0])]))

    def _with_values(self, series: Sequence[Series], places: Sequence[Places]) -> list[tuple[Series, Places]]:
        """Leave out places before which a column has no value that has no scale either; DataError if none is left."""
        found, left_out = [], []
        for one, here in zip(series, places, strict=True):
            kept = here[here >= first_with_values(one.target, self._unscaled(one))]
            found.append((one, kept))
            left_out += [(one, len(here) - len(kept))] if len(kept) < len(here) else []
        if left_out and not any(len(here) for _, here in found):
            raise DataError(
                f"{of(left_out[0][0].name)}: a column has no value before the places that are to be forecast, and "
                "training taught no scale of it; begin later (start=)"
            )
        self._note(no_values_note(left_out))
        return found

    def _refitted(
        self, series: Sequence[Series], places: Sequence[Places], refit: tuple[RefitName, int], every: int
    ) -> Iterator[tuple[BacktestedEstimator, list[Places]]]:
        """Yield a model that is trained on what stands before some places of each series, with these places.

        Args:
            series: all of them.
            places: of each.
            refit: how a copy is trained, and with which seed.
            every: places from one training to the next.
        """
        cuts = range(0, max(map(len, places)) + every, every)
        model = copy.copy(self)
        for first, stop in pairwise(cuts):
            some = [here[first:stop] for here in places]
            known = [one[: int(here[0])] for one, here in zip(series, some, strict=True) if len(here)]
            model = copy.copy(model)
            # All that stands before a place is learned from.
            model.set_params(warm_start=refit[0] == "warm", random_state=refit[1], split=None)
            yield model.fit(known), some

    # --- what a forecaster defines ---------------------------------------------------------------------------------

    @abstractmethod
    def _unscaled(self, series: Series) -> Flags:
        """Return the columns [K] of a series of which training taught no scale."""

    @abstractmethod
    def _look(self, one: ScaledSeries, places: Places) -> tuple[ForecastBatch, Memory, Any]:
        """Return the futures of places on their series' scale, the memory after the last step, and what follows."""

    @abstractmethod
    def _in_units(self, one: ScaledSeries, places: Places, futures: ForecastBatch) -> ForecastBatch:
        """Return the futures of places in the units of a series."""
