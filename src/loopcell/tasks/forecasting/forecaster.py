"""Forecaster: many-to-many over time, the steps of a series that have not come yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Series, Step
from loopcell.errors import DataError, InputError, UsageError
from loopcell.tasks.core.estimator.engine import private_randomness
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.forecasting.baselines import naive_error, seasonal_naive
from loopcell.tasks.forecasting.columns import continued, notes_of, usual_season
from loopcell.tasks.forecasting.coverage import Tracked, follow, kept_inside, tracked
from loopcell.tasks.forecasting.estimator import SeriesEstimator, first_after
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.heads import HEADS, Head
from loopcell.tasks.forecasting.metrics import Forecasts, forecast_metrics
from loopcell.tasks.forecasting.network import ForecastNetwork, Memory, Sizes
from loopcell.tasks.forecasting.results import Backtest, Forecast, in_units
from loopcell.tasks.forecasting.scaled import ScaledSeries, of, steps_that_have_been, with_future
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.forecasting.state import SeriesState, StoredHistory
from loopcell.tasks.forecasting.strategies import Direct, ForecastBatch, RollOut, Strategy

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

LEAST_TO_CALIBRATE = 100  # places in the held-out part


class ForecasterNetwork(ForecastNetwork):
    """A network of forecasts whose quantiles are moved.

    Args:
        settings: the cell and the sizes.
        sizes: how many columns and series there are.
        head: what is said of a value.
        steps: how many steps the network looks ahead at once.

    Attributes:
        shift: [f, K, Q], what is added to the quantiles, on the scale of the series.
    """

    shift: Tensor

    def __init__(self, settings: ForecasterSettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        self.register_buffer("shift", torch.zeros(settings.horizon, sizes.targets, len(head.levels)))


class Forecaster(ForecasterSettings, SeriesEstimator):
    """The next f steps of time series, with how far to trust them: loads, sales, sensors, counts.

    Its arguments are those of `TrainingSettings`, `SeriesSettings` and `ForecasterSettings` in `loopcell.tasks`, all of
    them keywords with defaults. Columns are named there, so `fit`, `predict` and `backtest` only take tables.

    Attributes:
        targets_: the names of the K targets.
        names_: the names of the series that training had.
        network_: the trained network, with the scales of each series.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "forecaster"
    network_: ForecasterNetwork

    # --- forecasts -------------------------------------------------------------------------------------------------

    def predict(self, data: Any) -> list[Forecast]:
        """Forecast the steps after the end of each series.

        Args:
            data: the history. Where covariates are known ahead, rows at the end with an empty target bring them.

        Raises:
            DataError: a series is shorter than `history`, or covariates of the steps ahead are missing.
        """
        return self.predict_next(data)[0]

    def predict_next(self, data: Any, state: SeriesState | None = None) -> tuple[list[Forecast], SeriesState]:
        """Forecast after rows that came, with what was read before: the history is not read again.

        Args:
            data: the new rows of the series, all of them or some.
            state: what the call before returned; None at the beginning.

        Returns:
            A forecast for each series of the table, and the state to go on from, which also has what is kept of the
            others. Rows that come in pieces of any size give the forecasts that they give at once.

        Raises:
            DataError: the rows do not follow those that were read before.
        """
        kept = dict(state or {})
        found = []
        for series in self._read_table(data, lambda name: self._step_kept(name, kept)):
            before = kept.get(series.name)
            if before is not None and not self._fits(before):
                raise UsageError(f"the state of {of(series.name)} was made by another model")
            new = series if before is None else continued(series, before)
            self._note(notes_of([new]))
            one = self._ready(new, before)
            if before is None:
                self._demand_history(one)
            elif not one.steps:
                raise DataError(f"{of(series.name)} has no new step with a value")
            futures, memory, seen = self._look(one, np.array([one.steps]), before)
            found.append(self._forecast(one, futures))
            last = one.series.times[one.steps - 1]
            kept[series.name] = StoredHistory(last, one.series.step, one.scale, memory, seen)
        return found, SeriesState(kept)

    def backtest(self, data: Any, *, start: Any = None, stride: int = 1) -> list[Backtest]:
        """Forecast from place after place of each series, from what was known there, beside what came.

        Args:
            data: the series, history included.
            start: the first step that is to be forecast: a time, or a number of steps, from the end if negative. None
                takes the first one with `history` steps before it.
            stride: steps from one place to the next.

        Raises:
            DataError: no series has a place to forecast from.
        """
        if stride < 1:
            raise UsageError(f"stride is at least 1, got {stride}")
        series = self._read_table(data)
        return self._backtests(series, [0 if start is None else first_after(one, start) for one in series], stride)

    def predict_records(self, data: Any) -> Iterator[dict[str, Any]]:
        """Give each forecast step by step, as JSON values."""
        for forecast in self.predict(data):
            yield from forecast.rows()

    # --- scores ----------------------------------------------------------------------------------------------------

    def evaluate(self, data: Any, *, start: Any = None, stride: int = 1) -> ScoreTable:
        """Errors, quantile loss and coverage of a backtest, beside the last value and the value a season ago.

        Args:
            data: the series, history included; arguments as in `backtest`.
            start: leave out what training has seen.
            stride: steps from one place to the next.
        """
        return self._scored(self.backtest(data, start=start, stride=stride))

    def score(self, data: Any, y: Any = None) -> float:
        """Minus the mean squared error of a backtest on the model's scale: larger is better; y as in `fit`."""
        self._refuse_targets(y)
        return -float(self.evaluate(data).model["scaled MSE"])

    def score_held_out(self, data: Any, validation: Any = None) -> ScoreTable | None:
        """The metrics on what `fit` with the same tables chose the best weights by; None where it held nothing out."""
        if validation is not None:
            return self.evaluate(validation)
        series = self._read_table(data)
        steps = [steps_that_have_been(one) for one in series]
        if not any(step - cut >= int(self.horizon) for step, cut in zip(steps, self._cuts, strict=True)):
            return None
        return self._scored(self._backtests(series, self._cuts))

    def _scored(self, found: Sequence[Backtest]) -> ScoreTable:
        season = self.season or usual_season(self.step_)
        levels = self.network_.head_kind.levels
        parts = [_forecasts(one, season) for one in found]
        rows = {"model": forecast_metrics(parts, levels)}
        for name, steps in {"naive": 1, f"seasonal naive ({season})": season}.items():
            if name == "naive" or (steps > 1 and all(one.places[0] >= steps for one in found)):
                rows[name] = forecast_metrics([_forecasts(one, season, repeated=steps) for one in found], levels)
        many = f"{len(found):,} series, " if len(found) > 1 else ""
        about = f"{many}{sum(map(len, found)):,} forecasts of {self.horizon} steps{_mase_of(parts, season)}"
        shown = {name: {key: one for key, one in row.items() if not np.isnan(one)} for name, row in rows.items()}
        return ScoreTable(about, shown)

    def _backtests(self, series: Sequence[Series], firsts: Sequence[int], stride: int = 1) -> list[Backtest]:
        history, horizon = self.network_.history, int(self.horizon)
        found = []
        for one, first in zip(series, firsts, strict=True):
            steps = steps_that_have_been(one)
            places = np.arange(max(first, history), steps - horizon + 1, stride)
            if not len(places):
                continue
            ready = self._scaled(one[:steps])
            futures = self._look(ready, places)[0]
            head = self.network_.head_kind
            mean, quantiles = in_units(futures, ready.scale, counts=head.counts)
            found.append(Backtest(one[:steps], places, mean, head.levels, quantiles, ready.scale.size))
        if not found:
            raise DataError(
                f"there is no place to forecast from: that takes {history} steps before it (history) and {horizon} "
                f"after it (horizon), and the longest series has {max(map(len, series), default=0)}"
            )
        return found

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _head(self, settings: Any) -> Head:
        return HEADS[settings.head](() if settings.head == "mean" else settings.quantiles)

    def _steps(self, settings: Any) -> int:
        if settings.roll_out and settings.past:
            raise UsageError(
                f"a roll-out would need {settings.past[0]!r} of steps that have not come; leave it out, or take the "
                "direct way (roll_out=False)"
            )
        return 1 if settings.roll_out else int(settings.horizon)

    def _network(self, settings: Any) -> ForecasterNetwork:
        return ForecasterNetwork(settings, self._sizes(settings), self._head(settings), self._steps(settings))

    def _finish(self, held_out: SeriesExamples | None) -> None:
        """Move each quantile so that the share below it is right in the held-out part.

        Romano, Patterson, Candes: Conformalized Quantile Regression, 2019 (arXiv 1905.03222), each level on its own.
        """
        head = self.network_.head_kind
        if held_out is None or not self.calibrate or self.roll_out or head.counts or not head.levels:
            return
        over = []
        for one, places in held_out.places():
            with torch.no_grad():
                futures, _ = Direct()(self.network_, one, places)
            true = one.values[places[:, None] + np.arange(self.horizon)]
            over.append(true[..., None] - futures.quantiles)
        errors = np.concatenate(over)
        if len(errors) < LEAST_TO_CALIBRATE:
            return
        moved = [np.quantile(errors[..., at], level, axis=0) for at, level in enumerate(head.levels)]
        self.network_.shift.copy_(torch.from_numpy(np.stack(moved, -1)))

    # --- looking ahead ---------------------------------------------------------------------------------------------

    def _ahead(self) -> Strategy:
        if not self.roll_out:
            return Direct()
        return RollOut(int(self.horizon), 1 if self.head == "mean" else int(self.paths))

    def _forecast(self, one: ScaledSeries, futures: ForecastBatch) -> Forecast:
        """The futures of one place, the end, in the series' units."""
        head = self.network_.head_kind
        mean, quantiles = (part[0] for part in in_units(futures, one.scale, counts=head.counts))
        ahead = slice(one.steps, one.steps + int(self.horizon))
        series = one.series
        return Forecast(series.name, series.times[ahead], self.targets_, mean, head.levels, quantiles, series.zone)

    def _step_kept(self, name: str, kept: Mapping[str, StoredHistory]) -> Step | None:
        """What is known of the step of a series, from its state or from training."""
        before = kept.get(name)
        return self._known_step(name) if before is None or before.step is None else before.step

    def _ready(self, series: Series, before: StoredHistory | None) -> ScaledSeries:
        """A series with the steps to come."""
        longer = with_future(series, steps_that_have_been(series), int(self.horizon))
        return self._scaled(longer, None if before is None else before.scale)

    def _look(
        self, one: ScaledSeries, places: Places, before: StoredHistory | None = None
    ) -> tuple[ForecastBatch, Memory, Tracked | None]:
        """The futures of places, each mean within its interval, and what is to be kept after the last step."""
        futures, memory, seen = self._moved(one, places, before)
        if not (np.isfinite(futures.mean).all() and np.isfinite(futures.quantiles).all()):
            raise InputError(
                f"{of(one.series.name)}: the forecast is not a number: a value of the history is far beyond those of "
                "training, or the weights are damaged"
            )
        head = self.network_.head_kind
        if self.roll_out or head.counts:  # there the mean is that of the very distribution whose quantiles are given
            return futures, memory, seen
        return ForecastBatch(kept_inside(*futures, head.levels), futures.quantiles), memory, seen

    def _moved(
        self, one: ScaledSeries, places: Places, before: StoredHistory | None
    ) -> tuple[ForecastBatch, Memory, Tracked | None]:
        """The same with the mean as the network gives it; the quantiles are those that calibration moved."""
        memory, kept = (None, None) if before is None else (before.memory, before.tracked)
        with torch.no_grad(), private_randomness(0):
            if self._follows():
                return self._followed(one, places, memory, kept or tracked(self._shift()))
            futures, memory = self._ahead()(self.network_, one, places, memory)
        quantiles = futures.quantiles + self._shift()
        return ForecastBatch(futures.mean, np.sort(quantiles, -1)), memory, None

    def _followed(
        self, one: ScaledSeries, places: Places, memory: Memory | None, kept: Tracked
    ) -> tuple[ForecastBatch, Memory, Tracked]:
        """The same with quantiles that follow the values: so there is a forecast after every step."""
        first = self.network_.history if memory is None else 1
        every = np.arange(min(first, int(places[0])), one.steps + 1)
        found: list[ForecastBatch] = []
        for here, futures, after in Direct().blocks(self.network_, one, every, memory):
            memory = after
            came = one.values[here - 1].astype(np.float64)
            levels = self.network_.head_kind.levels
            quantiles, kept = follow(kept, futures.quantiles, came, levels, float(self.adapt_rate))
            wanted = np.isin(here, places)
            found.append(ForecastBatch(futures.mean[wanted], quantiles[wanted]))
        assert memory is not None
        return ForecastBatch(*(np.concatenate([part[which] for part in found]) for which in (0, 1))), memory, kept

    def _fits(self, before: StoredHistory) -> bool:
        """Whether a state could be this model's."""
        seen = before.tracked is None or before.tracked.shift.shape == self.network_.shift.shape
        return seen and self.network_.remembers(before.memory)

    def _follows(self) -> bool:
        head = self.network_.head_kind
        return self.adapt_rate > 0 and not self.roll_out and not head.counts and len(head.levels) > 1

    def _shift(self) -> Floats:
        found: Floats = self.network_.shift.double().cpu().numpy()
        return found


def _mase_of(parts: Sequence[Forecasts], season: int) -> str:
    """What the mean absolute scaled error leaves out, and why; "" for nothing."""
    naive = np.concatenate([part.naive for part in parts])  # of every column of every series
    out = int((~(naive > 0)).sum())
    if not out:
        return ""
    short = bool(np.isnan(naive).any())
    same = "all before it is as it was one season earlier"
    why = f"fewer than {season + 1} steps lie before the first forecast" if short else same
    return f" (no MASE: {why})" if out == len(naive) else f" (MASE leaves out {out:,} of {len(naive):,} columns: {why})"


def _forecasts(one: Backtest, season: int, repeated: int | None = None) -> Forecasts:
    """A backtest for its metrics; or that of the value some steps ago, repeated."""
    before = one.series.target[: one.places[0]]
    naive = naive_error(before, season)
    if repeated is None:
        return Forecasts(one.true, one.mean, one.quantiles if one.levels else None, one.size, naive)
    guess = seasonal_naive(one.series.target, one.places, one.mean.shape[1], repeated)
    return Forecasts(one.true, guess, None, one.size, naive)
