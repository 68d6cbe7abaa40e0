"""Forecaster: many-to-many over time, the steps of a series that have not come yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from loopcell.data import Series, Step
from loopcell.data.examples import Scale
from loopcell.errors import DataError, UsageError
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.tasks.core.estimator.engine import BatchLoss
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.beyond import demand_count, further, further_note
from loopcell.tasks.forecasting.columns import continued, notes_of
from loopcell.tasks.forecasting.covariates import Before
from loopcell.tasks.forecasting.coverage import Tracked, moved_to_cover
from loopcell.tasks.forecasting.elapsed import not_told_note, told_ahead_note
from loopcell.tasks.forecasting.ensembles import AnyNetwork, ForecasterEnsemble, OneNetwork
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.forecast_stream import ForecastSteps, flat_names
from loopcell.tasks.forecasting.heads import Head, head_of
from loopcell.tasks.forecasting.held_out import errors_of_quantiles
from loopcell.tasks.forecasting.inspecting import Said, of_next
from loopcell.tasks.forecasting.look_ahead import LookAhead
from loopcell.tasks.forecasting.members import ForecasterTraining
from loopcell.tasks.forecasting.missing import last_there
from loopcell.tasks.forecasting.network import ForecasterNetwork, Memory
from loopcell.tasks.forecasting.results import Forecast, in_units, with_history
from loopcell.tasks.forecasting.scaled import ScaledSeries, demand_history, of, with_future, with_next
from loopcell.tasks.forecasting.scales import scale_of
from loopcell.tasks.forecasting.seen import Seen, seen_from_json, seen_parts
from loopcell.tasks.forecasting.segments import SegmentNetwork
from loopcell.tasks.forecasting.series_stream import StreamedSeries
from loopcell.tasks.forecasting.settings import ForecasterSettings, demand_segments
from loopcell.tasks.forecasting.splits import ends_of
from loopcell.tasks.forecasting.state import SeriesState, StoredHistory
from loopcell.tasks.forecasting.step_checks import forecast_run, series_check
from loopcell.tasks.forecasting.step_model import forecaster_step
from loopcell.tasks.forecasting.step_reading import chosen_series, data_of
from loopcell.tasks.forecasting.still import (
    Flags,
    flags_at,
    never_varied,
    stay,
    staying_note,
    still_columns,
    still_notes,
)
from loopcell.tasks.forecasting.strategies import Direct, ForecastBatch, Places


class Forecaster(ForecasterSettings, ForecasterTraining, StreamedSeries[StoredHistory, Forecast]):
    """The next f steps of time series, with how far to trust them: loads, sales, sensors, counts.

    Its arguments are those of `TrainingSettings`, `SeriesSettings` and `ForecasterSettings` in `loopcell.tasks`, all of
    them keywords with defaults. Columns are named there, so `fit`, `predict` and `backtest` only take tables.

    Attributes:
        targets_: the names of the K targets.
        names_: the names of the series that training had.
        still_: bool [S, K], which of their columns never varied; while they do not, they are forecast to stay.
        network_: the trained network, with the scales of each series; of an ensemble all its networks.
        outcome_: how training ended; outcomes_: of an ensemble, that of each of its networks.
    """

    task: ClassVar[str] = "forecaster"
    network_: AnyNetwork
    still_: Flags
    _seen: Mapping[str, Seen] = MappingProxyType({})  # what training saw of each series; of old models nothing is known

    # --- forecasts -------------------------------------------------------------------------------------------------

    def predict(self, data: Any, *, steps: int | None = None) -> list[Forecast]:
        """Forecast the steps after the end of each series.

        Args:
            data: the history. Where covariates are known ahead, rows at the end with an empty target bring them.
            steps: how many; None for `horizon`. Beyond it a roll-out goes on, and any other model takes its forecasts
                for observed; a note says so.

        Raises:
            DataError: a series is shorter than `history`, or covariates of the steps ahead are missing.
            UsageError: steps is none, or the model would need past covariates of steps beyond its horizon.
        """
        return self.predict_next(data, steps=steps)[0]

    def predict_next(
        self, data: Any, state: SeriesState | None = None, *, steps: int | None = None
    ) -> tuple[list[Forecast], SeriesState]:
        """Forecast after rows that came, with what was read before: the history is not read again.

        Args:
            data: the new rows of the series, all of them or some.
            state: what the call before returned; None at the beginning.
            steps: how many to forecast, as in `predict`.

        Returns:
            A forecast for each series of the table, and the state to go on from, which also has what is kept of the
            others. Rows that come in pieces of any size give the forecasts that they give at once; where training
            taught no scale (a new series, a column that never varied), the first piece decides on it.

        Raises:
            DataError: the rows do not follow those that were read before.
        """
        kept, count = dict(state or {}), demand_count(steps, checked(self))
        found, read = list[Forecast](), list[tuple[Series, StoredHistory | None, StoredHistory]]()
        for series in self._read_table(data, None if state is None else lambda name: self._step_kept(name, kept)):
            before = kept.get(series.name)
            if before is not None and not self._looking().fits(before):
                raise UsageError(f"the state of {of(series.name)} was made by another model")
            new = series if before is None else continued(series, before, fill_gaps=self.fill_gaps)
            self._note(notes_of([new]))
            forecast, after = self._forecast_after(new, before, count)
            found.append(forecast)
            read.append((new, before, after))
            kept[series.name] = after
        self._note([*further_note(count, checked(self)), *still_notes(read)])
        return found, SeriesState(kept)

    def predict_records(self, data: Any) -> Iterator[dict[str, Any]]:
        """Give each forecast step by step, as JSON values."""
        for forecast in self.predict(data):
            yield from forecast.rows()

    def _says(self, series: Series, column: int) -> Said:
        longer = with_next(series, series.steps, calendar=bool(self.calendar or self.holidays))
        one, places = self._scaled(longer), np.arange(self.network_.history, len(longer))
        if not len(places):
            return Said({}, [], "next")
        with torch.no_grad():  # the first step of a roll-out is what the network says itself
            futures = Direct()(self.network_, one, places)[0] if self.roll_out else self._look(one, places)[0]
        return of_next(one, column, places, self._in_units(one, places, futures), self.network_.head_kind.levels)

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _head(self, settings: Any) -> Head:
        return head_of(settings)

    def _own_loss(self, settings: Any) -> BatchLoss | None:
        if not callable(settings.loss):
            return None
        if settings.head != "mean":
            raise UsageError(f"loss: a loss of your own is for head='mean', and the head is {settings.head!r}")
        one = self.network_
        assert not isinstance(one, ForecasterEnsemble)  # its members learn, each by itself
        return partial(one.loss, own=settings.loss)

    def _steps(self, settings: Any) -> int:
        if settings.roll_out and settings.past:
            raise UsageError(
                f"a roll-out would need {settings.past[0]!r} of steps that have not come; leave it out, or take the "
                "direct way (roll_out=False)"
            )
        return 1 if settings.roll_out else int(settings.horizon)

    def _one_network(self, settings: Any) -> OneNetwork:
        demand_segments(settings)
        kind = ForecasterNetwork if settings.segment is None else SegmentNetwork
        return kind(settings, self._sizes(settings), self._head(settings), self._steps(settings))

    def _parted(self, series: list[Series], validation: Any, settings: Any) -> tuple[list[Series], list[int]]:
        demand_segments(settings)
        if settings.split is None:
            return super()._parted(series, validation, settings)
        if validation is not None:
            raise UsageError("split says which part is for validation: leave out the other table, or the split")
        ends = [ends_of(one, settings.split, int(self.horizon)) for one in series]
        return [one[: end[1]] for one, end in zip(series, ends, strict=True)], [end[0] for end in ends]

    def _learn(
        self, series: list[Series], validation: Any, settings: Any, before: nn.Module | None
    ) -> tuple[SeriesExamples, SeriesExamples | None]:
        if before is None:
            self.still_ = np.stack([still_columns(one) for one in series])
            quiet = [(one, still) for one, still in zip(series, self.still_, strict=True) if len(one) > 1]
            self._note(staying_note(quiet))
        self._seen = {**({} if before is None else self._seen), **seen_parts(series)}
        found = super()._learn(series, validation, settings, before)
        self._note(told_ahead_note(self.covariates_.elapsed))
        return found

    def _learned(self) -> dict[str, Any]:
        found = super()._learned() | {"seen": {name: part.to_json() for name, part in self._seen.items()}}
        return found | {"still": np.argwhere(self.still_).tolist()} if self.still_.any() else found

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self._seen = seen_from_json(learned.get("seen", {}))
        self.still_ = flags_at(learned.get("still", []), len(self.names_), len(self.targets_))

    def _finish(self, held_out: SeriesExamples | None) -> None:
        """Move the quantiles so that as much of the held-out part lies between or below them as should."""
        head = self.network_.head_kind
        self.network_.shift.zero_()  # that of weights which training goes on from is not that of its end
        if held_out is None or not self.calibrate or self.roll_out or head.counts or not head.levels:
            return
        shift = moved_to_cover(*errors_of_quantiles(self.network_, held_out, self._still), head.levels)
        self.network_.shift.copy_(torch.from_numpy(shift))

    def step_model(self, series: str | None = None) -> StepModel:
        """Return the forecaster's step: the newest values in, the forecast out; see `StoredEstimator.step_model`.

        Args:
            series: the name of the series whose scale it is for; None where training had one.

        Raises:
            UsageError: it has no step of its own; or training had several series, and none is named.
        """
        self._fitted()
        if self.roll_out:
            raise UsageError("a roll-out reads its own forecasts, so it has no step: fit one with roll_out=False")
        row = chosen_series(self.names_, series)
        if self.still_[row].any():
            raise UsageError(f"{of(self.names_[row])} has a column that never varied in training: it has no scale")
        return forecaster_step(self.network_, data_of(self, row), follows=self.adapt_rate > 0)

    def step_check(self, data: Any, series: str | None = None) -> StepCheck:
        """Return a series of a table as steps, with the forecaster's own answers; see `loopcell.export.verify`."""
        return series_check(self, data, series, partial(forecast_run, self))

    # --- streams ---------------------------------------------------------------------------------------------------

    def _stream_steps(self) -> ForecastSteps:
        names = flat_names(self.targets_, int(self.horizon), self.network_.head_kind.levels)
        return ForecastSteps(names, self._next, self._looking().fits, self.network_.moved)

    def _next(self, new: Series, before: StoredHistory | None) -> tuple[Forecast, StoredHistory]:
        forecast, after = self._forecast_after(new, before, int(self.horizon))
        self._note(still_notes([(new, before, after)]))
        return forecast, after

    # --- looking ahead ---------------------------------------------------------------------------------------------

    def _forecast_after(self, new: Series, before: StoredHistory | None, count: int) -> tuple[Forecast, StoredHistory]:
        """Return the forecast of some steps after new rows, and what is to be kept of them and of those before."""
        one = self._ready(new, before, max(count, int(self.horizon)))
        if before is None:
            demand_history(one, self.network_.history)
        elif not one.steps:
            raise DataError(f"{of(new.name)} has no new step with a value")
        places = np.array([one.steps])
        futures, memory, seen = self._look(one, places, before, count)
        if not self.roll_out:
            futures = further(one, futures, count, lambda longer, at: self._look(longer, at, before)[0])
        mean, quantiles = (part[0] for part in self._in_units(one, places, futures, before))
        ahead = slice(one.steps, one.steps + count)
        series, levels = one.series, self.network_.head_kind.levels
        self._note(not_told_note(series.times[ahead], self.covariates_.elapsed))
        forecast = Forecast(series.name, series.times[ahead], self.targets_, mean, levels, quantiles, series.zone)
        last, still = series.times[one.steps - 1], self._still(one, places, before)[0]
        trained_on = self._looking().trained_on(one, before)
        kept = StoredHistory(last, series.step, one.scale, memory, seen, still, trained_on, one.newest)
        return with_history(forecast, series, one.steps), kept

    def _in_units(
        self, one: ScaledSeries, places: Places, futures: ForecastBatch, before: StoredHistory | None = None
    ) -> ForecastBatch:
        """Return the futures of places in the units of a series; what never varied stays as it is."""
        found = in_units(futures, one.scale, counts=self.network_.head_kind.counts)
        first = one.series.target[:0] if before is None else before.scale.undo(before.memory.recent[-1].cpu().numpy())
        been = one.series.target[: one.steps]
        newest = last_there(np.concatenate([first, been]))[places - 1 + len(first)]
        return stay(found, newest, self._still(one, places, before))

    def _still(self, one: ScaledSeries, places: Places, before: StoredHistory | None = None) -> Flags:
        """Say which columns have no scale, since they varied neither in training nor up to a place: bool [N, K]."""
        if before is not None:
            return np.tile(before.still, (len(places), 1))
        return never_varied(one.series.target[: one.steps])[places - 1] & self._unscaled(one.series)

    def _unscaled(self, series: Series) -> Flags:
        """Return the columns [K] without a scale from training: of new series, and those that never varied there."""
        if series.name not in self.names_:
            return np.ones(len(self.targets_), np.bool_)
        found: Flags = self.still_[self.names_.index(series.name)]
        return found

    def _scale(self, series: Series) -> Scale:
        """Return the scale of training; where that has none, the one of this history."""
        found, unscaled, steps = super()._scale(series), self._unscaled(series), series.steps
        if series.name not in self.names_ or not steps or not unscaled.any():
            return found
        return found.where(~unscaled, scale_of(series.target[:steps], counts=self.network_.head_kind.counts))

    def _step_kept(self, name: str, kept: Mapping[str, StoredHistory]) -> Step | None:
        """Return what is known of the step of a series, from its state or from training."""
        before = kept.get(name)
        return self._known_step(name) if before is None or before.step is None else before.step

    def _ready(self, series: Series, before: StoredHistory | None, count: int) -> ScaledSeries:
        """Return a series with some steps to come."""
        longer = with_future(series, series.steps, count)
        if before is None:
            return self._scaled(longer)
        newest = before.newest if len(before.newest) else np.full(len(self.known) + len(self.past), np.nan)
        return self._scaled(longer, before.scale, Before(before.time, newest))

    def _look(
        self, one: ScaledSeries, places: Places, before: StoredHistory | None = None, count: int | None = None
    ) -> tuple[ForecastBatch, Memory, Tracked | None]:
        """Return the futures of places, each mean within its interval, and what is to be kept after the last step.

        In a roll-out they are of `count` steps.
        """
        return self._looking(count)(one, places, before)

    def _looking(self, count: int | None = None) -> LookAhead:
        settings = self if count is None or not self.roll_out else replace(checked(self), horizon=count)
        return LookAhead(self.network_, settings, self._seen)
