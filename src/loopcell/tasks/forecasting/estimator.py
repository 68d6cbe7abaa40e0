"""SeriesEstimator: what forecasting and finding anomalies have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, Self

from torch import nn

from loopcell.data import Records, Series, Step
from loopcell.data.examples import Scale
from loopcell.data.series import check_zone, read_days
from loopcell.data.series.written_dates import check_order
from loopcell.errors import UsageError
from loopcell.insight import Inspection
from loopcell.tasks.core.estimator import Estimator
from loopcell.tasks.core.estimator.seeds import seed_of
from loopcell.tasks.core.scale_tensors import demand_shape
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.columns import (
    demand_counts,
    demand_length,
    demand_like,
    demand_values,
    demand_zone,
    notes_of,
    nothing_known,
    one_step,
    read_series,
)
from loopcell.tasks.forecasting.covariates import Before, Covariates
from loopcell.tasks.forecasting.covariates_learned import learned_covariates, learned_scale, unseen
from loopcell.tasks.forecasting.examples import SeriesExamples, short_ones
from loopcell.tasks.forecasting.heads import Head
from loopcell.tasks.forecasting.inspecting import Said, chosen, column_of, demand_steps, inspected
from loopcell.tasks.forecasting.network import SeriesNetwork
from loopcell.tasks.forecasting.own_scales import all_rows_note
from loopcell.tasks.forecasting.scaled import ScaledSeries, demand_history, of, scaled
from loopcell.tasks.forecasting.scales import learned_scales, scale_of
from loopcell.tasks.forecasting.settings import ALL_COLUMNS, SeriesSettings
from loopcell.tasks.forecasting.sizes import Sizes

Span = tuple[int, int]


class SeriesEstimator(Estimator):
    """X is a table of time series.

    It is a file, a polars or pandas frame or series, a dictionary of arrays, an array [T] or [T, K], or a list of such
    arrays, each a series of its own.

    Attributes:
        targets_: the names of the K targets.
        names_: the names of the S series that training had.
        scales_: of the targets of each of them, [S, K], and of the covariates that are columns of the table.
        step_: what lies between two times; None where that was not asked for.
        zone_: the zone of the times; None where they have none.
        covariates_: what was learned of the covariates: their categories, and which of them have holes.
        date_order_: what stands first in dates that are not ISO 8601: year, day or month; "" for others.
    """

    network_: SeriesNetwork
    targets_: tuple[str, ...]
    names_: tuple[str, ...]
    scales_: dict[str, Scale]
    step_: Step | None
    steps_: dict[str, Step]  # of the series that stand elsewhere in the calendar than `step_`
    zone_: str | None
    covariates_: Covariates
    date_order_: str = ""
    _cuts: Sequence[int] = ()  # of each series that the last `fit` read, the first step that it held out
    _wall = True  # whether the calendar is read on the clock of the times' zone; not in models that knew no zones

    # --- what a task defines, beside what `Estimator` asks for -----------------------------------------------------

    @abstractmethod
    def _head(self, settings: Any) -> Head:
        """Return the head: what the network says of a value to come."""

    @abstractmethod
    def _steps(self, settings: Any) -> int:
        """Return the number of steps that the network looks ahead."""

    def _finish(self, held_out: SeriesExamples | None) -> None:
        """Do what follows training, with the help of the held-out part."""

    @abstractmethod
    def predict_records(self, data: Any) -> Iterator[dict[str, Any]]:
        """Return the model's results for a table, in rows of JSON values (`loopcell predict`)."""

    @abstractmethod
    def evaluate(self, data: Any) -> ScoreTable:
        """Measure the metrics of the task on a table, beside those of naive baselines."""

    @abstractmethod
    def score_held_out(self, data: Any, validation: Any = None) -> ScoreTable | None:
        """Return the metrics on the part by which `fit` with the same tables chose the weights; None without one."""

    # --- looking inside --------------------------------------------------------------------------------------------

    def inspect(self, data: Any, *, series: str | int | None = None, target: str | None = None) -> Inspection:
        """Look at what happens inside while the model reads one series.

        Args:
            data: a table, as `fit` takes it.
            series: the name of the series, or its number in the table from 0; None where there is one only.
            target: the column to look at, where the network reads each on its own; None takes the first.

        Returns:
            Every named quantity of every recurrent layer at every step. The steps are the times, the traces the columns
            and what the model says of them. In a notebook it shows itself; `inspection.save("page.html")` writes a page
            that opens anywhere.

        Raises:
            DataError: the table cannot be used, or the series is shorter than `history`.
            UsageError: there is no such series or target, or several series and none was named; or the network reads
                segments.
        """
        self._fitted()
        demand_steps(self.network_)
        found = chosen(self._read_table(data), series)
        column = column_of(self.targets_, target)
        one = self._scaled(found[: found.steps])
        self._note(all_rows_note([found], self.names_))
        demand_history(one, self.network_.history)
        said, title = self._says(found, column), type(self).__name__
        return inspected(self.network_, one, column, said, title=title, named=target is not None)

    @abstractmethod
    def _says(self, series: Series, column: int) -> Said:
        """Return what the model says of each step of a series that has been."""

    # --- fit -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        validation: Any = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from time series.

        Args:
            data: a path, several, `Records`, a polars or pandas frame or series, a dictionary of arrays, an array [T]
                or [T, K], or a list of arrays.
            y: None, which scikit-learn's tools pass: what is to be learned is a column of the table.
            validation: another table to choose the best weights by; None holds out `validation_fraction` of the steps
                of each series, at its end.
            run: a new folder for checkpoints, curves and the model, from which training can go on; None for none.
            resume: go on with the run of that folder, with the same data.

        Raises:
            DataError: the data cannot be used; the sentence says where and why.
            UsageError: an argument of the constructor is out of its bounds, the folder is taken, or there is a y.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted. The estimator has by then what training came to, and can be used.
        """
        self._refuse_targets(y)
        settings, self.notes_ = checked(self), []
        seed = seed_of(settings, run, resumed=resume)
        before = self._before(settings)
        with self._fitting(seed, before):
            with self._working("preparing the data"):
                series = self._table(data, settings, nothing_known if before is None else self._known_step)
                series, self._cuts = self._parted(series, validation, settings)
                training, held_out = self._learn(series, validation, settings, before)
            self._train(training, held_out, seed, run=run, resumed=resume)
            self._finish(held_out)
        return self._ended(run)

    def _refuse_targets(self, y: Any) -> None:
        """Refuse targets beside the table; UsageError says where they belong."""
        if y is not None:
            raise UsageError(
                f"{type(self).__name__} learns from one table and its times: y would not be read. Put it into the "
                "table as a column and name that (target=); columns that help to forecast it are known= or past="
            )

    def _table(
        self, data: Any, settings: SeriesSettings, like: Callable[[str], Step | None] = nothing_known
    ) -> list[Series]:
        found = self._read_series(data, settings, like)
        if self._head(settings).counts:
            for one in found:
                demand_counts(one)
        return found

    def _read_series(self, data: Any, settings: SeriesSettings, like: Callable[[str], Step | None]) -> list[Series]:
        """Read the series of a table, and note how their times were read and what was left out of it."""
        found = read_series(data, settings, like, "" if like is nothing_known else self.date_order_)
        skipped = [str(data.skipped)] if isinstance(data, Records) and data.skipped else []
        self._note([*skipped, *notes_of(found)])
        return found

    def _parted(self, series: list[Series], validation: Any, settings: Any) -> tuple[list[Series], list[int]]:
        """Return the series as far as training may see them, and of each the first step that is held out."""
        fraction = 0.0 if validation is not None else settings.validation_fraction
        steps = [one.steps for one in series]
        return series, [step - round(fraction * step) for step in steps]

    def _learn(
        self, series: list[Series], validation: Any, settings: SeriesSettings, before: nn.Module | None
    ) -> tuple[SeriesExamples, SeriesExamples | None]:
        """Learn the names and the scales, make the network, and put both parts into examples.

        Where training goes on from a network, its names and scales stay; a series that it had not is on its own scale.
        """
        steps, cuts = [one.steps for one in series], self._cuts
        if before is None:
            self.targets_, self.step_, self.zone_ = series[0].target_names, one_step(series), series[0].zone
            self.date_order_ = series[0].date_order
            self.steps_ = {one.name: one.step for one in series if one.step is not None and one.step != self.step_}
            self.names_ = tuple(one.name for one in series)
            demand_values(series)
            self.covariates_ = learned_covariates(series, cuts, settings, read_days(settings.holidays))
        else:
            self._demand_like(series)
        demand_length(series, cuts, settings, self._steps(settings))
        self._make_network(settings, before)
        if before is None:
            self.scales_ = {"targets": learned_scales(series, cuts, counts=self.network_.head_kind.counts)}
            self.scales_["covariates"] = learned_scale(series, cuts, self.covariates_)
        ready = [self._scaled(one, self._scale(one[: cut or None])) for one, cut in zip(series, cuts, strict=True)]
        f = self.network_.steps
        training = self._examples(ready, [(0, cut - f + 1) for cut in cuts], moving=True)
        self._note(short_ones(ready, training))
        if validation is not None:
            others = [self._scaled(one) for one in self._table(validation, settings, self._known_step)]
            self._note(all_rows_note([one.series for one in others], self.names_))
            return training, self._examples(others, [(0, one.steps - f + 1) for one in others])
        spans = [(cut, step - f + 1) for cut, step in zip(cuts, steps, strict=True)]
        held_out = self._examples(ready, spans)
        return training, held_out if len(held_out) else None

    def _examples(
        self, series: Sequence[ScaledSeries], spans: Sequence[Span], *, moving: bool = False
    ) -> SeriesExamples:
        network = self.network_
        return SeriesExamples(series, spans, network.history, network.steps, origins=network.origins, moving=moving)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read_table(
        self, data: Any, like: Callable[[str], Step | None] | None = None, settings: SeriesSettings | None = None
    ) -> list[Series]:
        """Read series like those of training; `like` gives what is known of a step, and `settings` may be kept ones."""
        if settings is None:
            settings = self._reading(named=isinstance(data, Records))
        found = self._table(data, settings, like or self._known_step)
        self._demand_like(found)
        self._note(unseen(found, self.covariates_))
        return found

    def _reading(self, *, named: bool) -> SeriesSettings:
        """Return the settings with which tables like that of training are read; `named`: their columns have names."""
        self._fitted()
        settings = checked(self)
        of_training = settings.target == ALL_COLUMNS or (named and not settings.target)
        targets = self.targets_ if of_training else settings.target
        return replace(settings, target=targets, categories=tuple(self.covariates_.categories))

    def _demand_like(self, series: Sequence[Series]) -> None:
        demand_like(series, self.targets_, self.step_)
        for one in series if self._wall else ():
            demand_zone(one, self.zone_)

    def _known_step(self, name: str) -> Step | None:
        """Return what training taught of the step of a series."""
        return self.steps_.get(name, self.step_)

    def _scaled(self, series: Series, scale: Scale | None = None, before: Before | None = None) -> ScaledSeries:
        """Return a series on the model's scale for it; one that training did not have is on its own."""
        zone, columns = series.zone if self._wall else None, self.scales_["covariates"]
        read = partial(self.covariates_.read, scale=columns, zone=zone, name=of(series.name), before=before)
        return scaled(series, scale or self._scale(series), read)

    def _scale(self, series: Series) -> Scale:
        if series.name in self.names_:
            row = self.names_.index(series.name)
            return Scale(*(part[row] for part in self.scales_["targets"]))
        return scale_of(series.target[: series.steps], counts=self.network_.head_kind.counts)

    # --- what the base asks for ------------------------------------------------------------------------------------

    @abstractmethod
    def _network(self, settings: Any) -> SeriesNetwork: ...

    def _sizes(self, settings: SeriesSettings) -> Sizes:
        return self.covariates_.sizes(len(self.targets_), len(self.names_))

    def _scales(self) -> dict[str, Scale]:
        return self.scales_

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        settings = checked(self)
        shapes = {
            "targets": (len(self.names_), len(self.targets_)),
            "covariates": (len(settings.known) + len(settings.past) + len(settings.static),),
        }
        self.scales_ = {name: demand_shape(scales[name], *shape) for name, shape in shapes.items()}
        super()._take_scales({name: scale for name, scale in scales.items() if name not in shapes})

    def _learned(self) -> dict[str, Any]:
        step = self.step_ and self.step_.to_json()
        found: dict[str, Any] = {"targets": self.targets_, "series": self.names_, "step": step}
        covariates = self.covariates_.to_json()
        found |= {"covariates": covariates} if covariates else {}
        if not self._wall:
            return found
        steps = {name: step.to_json() for name, step in self.steps_.items()}
        order = {"date_order": self.date_order_} if self.date_order_ else {}
        return found | {"zone": self.zone_} | ({"steps": steps} if steps else {}) | order

    def _restore(self, learned: Mapping[str, Any]) -> None:
        targets, names = learned["targets"], learned["series"]
        for what, found in (("targets", targets), ("series", names)):
            if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
                raise ValueError(f"its {what} are no names")
        self.targets_, self.names_ = tuple(targets), tuple(names)
        self.covariates_ = Covariates.from_json(learned.get("covariates", {}), checked(self))
        self.step_ = None if learned["step"] is None else Step.from_json(learned["step"])
        self.steps_ = {str(name): Step.from_json(step) for name, step in learned.get("steps", {}).items()}
        self._wall, zone = "zone" in learned, learned.get("zone")
        self.zone_ = None if zone is None else check_zone(str(zone))
        self.date_order_ = check_order(learned.get("date_order", ""))
