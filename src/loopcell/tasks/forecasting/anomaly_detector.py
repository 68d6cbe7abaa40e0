"""AnomalyDetector: many-to-many over time, which steps of a series were not to be expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from loopcell.data import Series
from loopcell.errors import DataError, InputError, UsageError
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.insight import Prediction
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.anomaly_metrics import detector_rows
from loopcell.tasks.forecasting.anomaly_stream import Detection, DetectionSteps, Watched, demand_single_scores
from loopcell.tasks.forecasting.errors import NOISE, UsualErrors, resolution, smoothed
from loopcell.tasks.forecasting.estimator import SeriesEstimator
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.heads import Head, Mean
from loopcell.tasks.forecasting.inspecting import Said, chosen
from loopcell.tasks.forecasting.missing import first_there, last_there
from loopcell.tasks.forecasting.network import ForecastNetwork
from loopcell.tasks.forecasting.own_scales import all_rows_note
from loopcell.tasks.forecasting.results import time_row
from loopcell.tasks.forecasting.scaled import ScaledSeries, demand_history, named
from loopcell.tasks.forecasting.series_stream import StreamedSeries
from loopcell.tasks.forecasting.settings import AnomalySettings
from loopcell.tasks.forecasting.sizes import Sizes
from loopcell.tasks.forecasting.starts import firsts_from
from loopcell.tasks.forecasting.step_checks import detection_run, series_check
from loopcell.tasks.forecasting.step_detections import detector_step
from loopcell.tasks.forecasting.step_reading import chosen_series, data_of
from loopcell.tasks.forecasting.still import never_changed, never_changes
from loopcell.tasks.forecasting.strategies import Direct

Floats = npt.NDArray[np.float64]

TOLD = 1e-12  # of a value that never changed: a change of it is no rounding of a computation
ROUNDING = 12**-0.5  # the deviation of what is rounded to whole numbers


class AnomalyNetwork(ForecastNetwork):
    """A network of forecasts, and how far off they usually are.

    Args:
        settings: the cell and the sizes.
        sizes: how many columns and series there are.
        head: what is said of a value.
        steps: f.

    Attributes:
        usual: the errors of the f forecasts of K values in a quiet period.
        jumps: the same of what a value differs from the one before: a baseline that learned no order.
    """

    def __init__(self, settings: AnomalySettings, sizes: Sizes, head: Head, steps: int) -> None:
        super().__init__(settings, sizes, head, steps)
        self.usual = UsualErrors(steps * sizes.targets)
        self.jumps = UsualErrors(sizes.targets)


class AnomalyDetector(AnomalySettings, SeriesEstimator, StreamedSeries[Watched, Detection]):
    """Steps that nobody could expect who knows the series: a machine that shakes, a sensor that sticks.

    It learns to forecast quiet series; the score of a step is how far its forecasts were off, measured by how far they
    usually are. The threshold comes from a quiet period: the part held out in `fit`, or the table given there as
    `validation`. Its arguments are those of `TrainingSettings`, `SeriesSettings` and `AnomalySettings`, all of them
    keywords with defaults.

    Attributes:
        threshold_: the score above which a step is an anomaly.
        still_: the numbers of the targets that never changed in any series of training and of the quiet period.
        network_: the trained network.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "anomaly-detector"
    network_: AnomalyNetwork
    still_: list[int]

    @property
    def threshold_(self) -> float:
        """The score above which a step is an anomaly."""
        self._fitted()
        found = float(self.network_.usual.threshold)
        if not np.isfinite(found):
            raise InputError(
                "this model has no threshold, since nothing changed in its quiet period: train it again, and it will "
                "have one"
            )
        return found

    def score_samples(self, data: Any) -> list[Floats]:
        """Give the score of each step of each series, [T]: 1 is usual; NaN where there is none.

        That is for the first steps, and where all targets are missing; of several targets those that are there count.
        """
        return [self._scores(one) for one in self._read_whole(data)]

    def predict(self, data: Any) -> list[npt.NDArray[np.bool_]]:
        """Say of each step of each series, bool [T], whether it is an anomaly; the first `history` steps are not."""
        return [scores > self.threshold_ for scores in self.score_samples(data)]

    def predict_records(self, data: Any) -> Iterator[dict[str, Any]]:
        """Give the time and the score of each step, and whether it is an anomaly, as JSON values."""
        for series in self._read_whole(data):
            for time, score in zip(series.times, self._scores(series), strict=False):
                row: dict[str, Any] = {"series": series.name} if series.name else {}
                row |= time_row(time, series.zone)
                row["score"] = float(score) if np.isfinite(score) else None
                yield row | {"anomaly": bool(score > self.threshold_)}

    def plot(self, data: Any, ax: Any = None, *, series: str | int | None = None, target: str | None = None) -> Any:
        """Draw a series with its anomalies, and below it the scores with the threshold.

        Args:
            data: a table, as `predict` takes it.
            ax: matplotlib Axes of a subplot, which is divided into two; None makes a figure, without pyplot.
            series: the name of the series, or its number in the table from 0; None where there is one only.
            target: the column, where there are several.

        Returns:
            The Axes of the series and those of the scores: `model.plot(data)[0].figure` is the figure.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
            DataError: the table cannot be used.
            UsageError: there is no such series or target, or several and none was named.
        """
        from loopcell.tasks.forecasting.plots import anomaly_chart, column_named

        found = chosen(self._read_whole(data), series)
        scores, column = self._scores(found), column_named(self.targets_, target)
        return anomaly_chart(found[: len(scores)], column, scores, self.threshold_, ax)

    def evaluate(self, data: Any, *, start: Any = None) -> ScoreTable:
        """Count the alarms, and with a column `label` measure how right they are, beside jumps from step to step.

        Args:
            data: the series, history included.
            start: the first step that counts: a time, or a number of steps, from the end if negative; None for all.
        """
        self._fitted()
        series, labels = self._labelled(data)
        return self._scored(series, labels, firsts_from(series, start))

    def score(self, data: Any, y: Any = None) -> float:
        """Average precision with a column `label` of both kinds; else minus the share of alarms; y as in `fit`."""
        self._refuse_targets(y)
        found = self.evaluate(data).model
        return float(found.get("average precision", -found["alarms"]))

    def score_held_out(self, data: Any, validation: Any = None) -> ScoreTable | None:
        """Return the metrics on the quiet period of `fit` with the same tables."""
        if validation is not None:
            return self.evaluate(validation)
        series, labels = self._labelled(data)
        return self._scored(series, labels, self._cuts)

    def _says(self, series: Series, column: int) -> Said:
        scores, threshold = self._scores(series), self.threshold_
        alarms = scores > threshold
        answer = f"{int(alarms.sum()):,} of {len(scores):,} steps are anomalies: their score is above {threshold:.3g}"
        said = [[Prediction("anomaly")] if alarm else [] for alarm in alarms]
        return Said({"score": scores, "anomaly": alarms.astype(np.float64)}, said, "here", [Prediction(answer)])

    # --- scores ----------------------------------------------------------------------------------------------------

    def _read_whole(self, data: Any) -> list[Series]:
        found = self._read_table(data)
        self._note(all_rows_note(found, self.names_))
        return found

    def _scores(self, series: Series) -> Floats:
        one = self._scaled(series)
        demand_history(one, self.network_.history)
        found = np.full(one.steps, np.nan)
        errors = self._errors(one)
        first = one.steps - len(errors)
        found[first:] = smoothed(self.network_.usual.distance(errors), int(self.smooth))
        missing = np.isnan(series.target[first : one.steps]).all(1)
        wrong = np.flatnonzero(~np.isfinite(found[first:]) & ~missing)
        if len(wrong):
            raise InputError(
                f"{named(series, first + int(wrong[0]))}: the score is not a number: a value there or before is far "
                "beyond those of training, or the weights are damaged"
            )
        return found

    def _errors(self, one: ScaledSeries) -> Floats:
        """Return the errors [N, f * K] of the f forecasts of each of the last N steps, on the scale of the series."""
        history, f = self.network_.history, self.network_.steps
        with torch.no_grad():
            futures, _ = Direct()(self.network_, one, np.arange(history, one.steps))
        # futures.mean[p - history, j] is of step p + j; of a step all of j = 0, ..., f - 1 are gathered.
        steps = np.arange(history + f - 1, one.steps)
        given = [futures.mean[steps - history - j, j] for j in range(f)]
        true = one.values[steps].astype(np.float64)
        for forecast in given:
            forecast[:, self.still_] = 0.0  # what never changed is forecast to stay, whatever the network makes of it
        return np.concatenate([true - forecast for forecast in given], axis=1)

    def _jumps(self, series: Series) -> Floats:
        """Return the change of each step [T, K] on the scale of the series, from the last value; NaN for the first."""
        one = self._scaled(series)
        values = one.values[: one.steps].astype(np.float64)
        before = last_there(np.concatenate([np.full((1, values.shape[1]), np.nan), values]))[:-1]
        return values - before

    def _smoothed_jumps(self, series: Series) -> Floats:
        found = self.network_.jumps.distance(self._jumps(series))
        found[1:] = smoothed(found[1:], int(self.smooth))
        return found

    def _labelled(self, data: Any) -> tuple[list[Series], list[Floats] | None]:
        """Return the series and, where a column says so, which of their steps are anomalous."""
        settings = checked(self)
        if settings.label is None:
            return self._read_table(data), None
        found = self._read_series(data, replace(settings, past=(*settings.past, settings.label)), self._known_step)
        self._demand_like(found)
        if settings.label in found[0].categories:
            raise DataError(f"the column {settings.label!r} has words, and has to have 0 or 1 in each row")
        labels = [one.past[:, -1] for one in found]
        for one, label in zip(found, labels, strict=True):
            wrong = np.flatnonzero((label != 0) & (label != 1))
            if len(wrong):
                at = int(wrong[0])
                raise DataError(f"{named(one, at)}: {settings.label!r} is {label[at]:g}, and has to be 0 or 1")
        return [replace(one, past=one.past[:, :-1], past_names=one.past_names[:-1]) for one in found], labels

    def _scored(self, series: Sequence[Series], labels: list[Floats] | None, firsts: Sequence[int]) -> ScoreTable:
        self._note(all_rows_note(series, self.names_))
        jumps, history = self.network_.jumps, self.network_.history
        rows = {
            "model": ([self._scores(one) for one in series], self.threshold_),
            "jump": ([self._smoothed_jumps(one) for one in series], float(jumps.threshold)),
        }
        count = sum(int(np.isfinite(part[first:]).sum()) for part, first in zip(rows["model"][0], firsts, strict=True))
        if not count:
            raise DataError(
                f"there is no step with a score: the first {history + self.network_.steps - 1} of a series have none, "
                "nor have those without a value"
            )
        return ScoreTable(f"{count:,} steps", detector_rows(rows, labels, [max(first, history) for first in firsts]))

    def _stream_steps(self) -> DetectionSteps:
        demand_single_scores(self.smooth)
        network = self.network_
        return DetectionSteps(network, self._scaled, network.usual.distance, self.threshold_, self.still_)

    def step_model(self, series: str | None = None) -> StepModel:
        """Return the detector's step: the newest values in, score and alarm out; see `StoredEstimator.step_model`.

        Args:
            series: the name of the series whose scale it is for; None where training had one.

        Raises:
            UsageError: it has no step of its own; or training had several series, and none is named.
        """
        self._fitted()
        demand_single_scores(self.smooth)
        data = data_of(self, chosen_series(self.names_, series))
        return detector_step(self.network_, data, self.threshold_, self.still_)

    def step_check(self, data: Any, series: str | None = None) -> StepCheck:
        """Return a series of a table as steps, with the detector's own scores; see `loopcell.export.verify`."""
        return series_check(self, data, series, lambda _, one, count: detection_run(self, one, count))

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _head(self, settings: Any) -> Head:
        return Mean(())

    def _steps(self, settings: Any) -> int:
        return int(settings.horizon)

    def _network(self, settings: Any) -> AnomalyNetwork:
        return AnomalyNetwork(settings, self._sizes(settings), self._head(settings), self._steps(settings))

    def _learned(self) -> dict[str, Any]:
        found = super()._learned()
        return found | {"still": self.still_} if self.still_ else found

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.still_ = [int(number) for number in learned.get("still", [])]
        if any(not 0 <= number < len(self.targets_) for number in self.still_):
            raise ValueError("its columns that never change are none")

    def _learn(
        self, series: list[Series], validation: Any, settings: Any, before: nn.Module | None
    ) -> tuple[SeriesExamples, SeriesExamples | None]:
        training, held_out = super()._learn(series, validation, settings, before)
        every = [*training.series, *(held_out.series if held_out is not None else ())]
        still = np.all([never_changes(one.series.target[: one.steps]) for one in every], axis=0)
        self.still_ = np.flatnonzero(still).tolist()
        return training, held_out

    def _floor(self, one: ScaledSeries) -> Floats:
        """Return the least spread of errors [K]: that of rounding; of what never changed a share of it."""
        values = one.series.target[: one.steps]
        found = np.maximum(ROUNDING * resolution(values) / one.scale.size, NOISE)
        first = np.nan_to_num(first_there(values))
        still = TOLD * np.where(first == 0, 1.0, np.abs(first)) / one.scale.size
        found[self.still_] = still[self.still_]
        return found

    def _finish(self, held_out: SeriesExamples | None) -> None:
        """Learn from the quiet period how far off forecasts usually are."""
        if held_out is None:
            raise UsageError(
                "the threshold comes from a quiet period: hold out some of the data (validation_fraction=), or give a "
                "quiet table (validation=)"
            )
        errors, jumps, floors, quiet = [], [], [], []
        for one, places in held_out.places():
            count = len(places)  # the last steps of the series
            errors.append(self._errors(one)[-count:])
            jumps.append(self._jumps(one.series)[-count:])
            floors.append(self._floor(one))
            quiet.append(never_changes(one.series.target[one.steps - count : one.steps]))
        floor = np.min(floors, axis=0)
        alarms, smooth = float(self.alarm_rate), self.smooth
        self.network_.usual.learn(errors, alarms, np.tile(floor, self.network_.steps), smooth)
        self.network_.jumps.learn(jumps, alarms, floor, smooth)
        self._note(never_changed(np.flatnonzero(np.all(quiet, axis=0)).tolist(), self.still_, self.targets_))
