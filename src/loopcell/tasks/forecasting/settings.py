"""The constructor arguments of estimators over time series, with defaults and bounds. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, PositiveInt

from loopcell.tasks.core.config import Probability, Size
from loopcell.tasks.core.own_functions import OwnFunction
from loopcell.tasks.core.pace import Pace
from loopcell.tasks.core.settings import CellChoice, TrainingSettings

HeadName = Literal["mean", "quantiles", "student-t", "negative-binomial"]
Cycle = Literal["day", "week", "year"]
Steps = Annotated[int, Field(ge=1, le=2**16)]


def _names(value: object) -> object:
    """Return one name or several, as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Sequence) else value


def _levels(value: object) -> tuple[float, ...]:
    levels = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    rising = all(isinstance(level, int | float) for level in levels) and all(
        low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True)
    )
    if not levels or not rising:
        raise ValueError("quantiles are numbers between 0 and 1 that rise, such as (0.1, 0.5, 0.9)")
    return tuple(float(level) for level in levels)


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Levels = Annotated[Any, PlainValidator(_levels)]


@dataclass(kw_only=True, repr=False, eq=False)
class SeriesSettings(TrainingSettings):
    """The columns of a table that are time series, and the network that reads them.

    Args:
        target: the column of what is to be learned: of the values to forecast, or several; not needed for arrays, all
            of whose columns it is.
        time: the column with the times. None: those of a pandas index, where it has some, and else rows are counted.
        series: the column that tells several series apart. None: there is one.
        known: covariates whose future is known: a holiday, a price that is set.
        past: covariates that are known up to now only.
        calendar: cycles of the time stamps that become covariates: day, week, year.
        regular: times have to be evenly spaced, in hours or in the calendar, and a gap is an error. False: rows are
            steps, whatever their times; forecasts then have no times, but those of rows at the end without a target.
        zone: on whose wall clock times without an offset are, such as Europe/Berlin, and on whose the calendar is read;
            None: as the times say.
        history: steps that are read before the first forecast that counts in training.
        lags: how many of the last values the network sees at each step, relative to the newest; None for `history`.
        multivariate: one network reads all targets of a series at once. False: the same weights read each on its own.
        cell: a name of `loopcell.cells`, or a cell of your own.
        hidden_size: H, the length of the hidden state.
        num_layers: L, cells on top of each other.
        dropout: the probability that a number is dropped, in training: before, between and after the layers.
        sizes: further sizes that the cell names, such as {"proj": 64}.

    An example is a segment: `history` steps that are read and as many forecasts. The usual numbers are 40 passes in
    batches of 8 and a patience of 10.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False
    )

    usual_pace: ClassVar[Pace] = TrainingSettings.usual_pace._replace(batch_size=8, epochs=40, patience=10)

    target: Names = ()
    time: str | None = None
    series: str | None = None
    known: Names = ()
    past: Names = ()
    calendar: Annotated[tuple[Cycle, ...], BeforeValidator(_names)] = ()
    regular: bool = True
    zone: str | None = None
    history: Steps = 96
    lags: Steps | None = None
    multivariate: bool = False
    cell: CellChoice = "gru"
    hidden_size: Size = 64
    num_layers: Annotated[int, Field(ge=1, le=1000)] = 1
    dropout: Probability = 0.2
    sizes: dict[str, Size] | None = None


@dataclass(kw_only=True, repr=False, eq=False)
class ForecasterSettings(SeriesSettings):
    """The arguments of a `Forecaster` beside the above.

    Args:
        horizon: f, how many steps ahead: all of them are forecast.
        roll_out: learn one step, and take each forecast as the next observation. False: learn all f steps at once.
        head: what is said of a value to come: mean, quantiles, student-t or negative-binomial. "quantiles" come with
            the mean, which is kept between the outer ones; "student-t", for heavy tails, likewise; "negative-binomial"
            is for counts.
        quantiles: the levels that forecasts are given at, between 0 and 1.
        paths: futures that are drawn in a roll-out, from which its quantiles are counted.
        calibrate: correct the answers by the held-out part: move the quantiles so that as much of it lies below them as
            should; not in a roll-out.
        adapt_rate: go on moving them while values come, by this share of their width at each; 0 leaves them; not in a
            roll-out.
        season: steps of a season, for the seasonal naive baseline and MASE; None for the usual one of the times' step
            (24 for hours, 7 for days, 12 for months, 1 where rows are counted).
        loss: a function of forecasts and of what came, both [M], on the scale of their series, that returns the loss of
            each or their mean, in place of the squared error; with head="mean" only. No file keeps it.
    """

    horizon: Steps = 24
    roll_out: bool = False
    head: HeadName = "quantiles"
    quantiles: Levels = (0.1, 0.5, 0.9)
    paths: PositiveInt = 100
    calibrate: bool = True
    adapt_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.005
    season: PositiveInt | None = None
    loss: OwnFunction = None


@dataclass(kw_only=True, repr=False, eq=False)
class AnomalySettings(SeriesSettings):
    """The arguments of an `AnomalyDetector` beside the above.

    Args:
        horizon: f, how many steps ahead: each value is forecast 1, ..., f steps before it comes, and all of these
            errors count.
        alarm_rate: the share of the steps of a quiet period that may lie above the threshold.
        label: a column of zeros and ones that says which steps are anomalous, for scores only; nothing is learned
            from it.
    """

    horizon: Steps = 1
    alarm_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.001
    label: str | None = None


def columns_named(settings: SeriesSettings) -> tuple[str, ...]:
    """Return all columns of a table that settings ask for by name."""
    single = (settings.time, settings.series, getattr(settings, "label", None))
    return (*settings.target, *settings.known, *settings.past, *(name for name in single if name is not None))
