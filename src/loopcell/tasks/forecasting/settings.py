"""The constructor arguments of estimators over time series, with defaults and bounds. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, PositiveInt

from loopcell.errors import UsageError
from loopcell.tasks.core.argument_types import CellChoice
from loopcell.tasks.core.config import Probability, Size
from loopcell.tasks.core.pace import Pace
from loopcell.tasks.core.settings import MissingSettings, TrainingSettings
from loopcell.training.config import Seed

HeadName = Literal["mean", "quantiles", "student-t", "negative-binomial"]
NormaliseName = Literal["last", "window", "none"]
LossName = Literal["mse", "mae", "huber"]
FillName = Literal["mask", "ffill", "interpolate"]
Cycle = Literal["day", "week", "year", "hour", "weekday", "month", "dayofyear"]
Steps = Annotated[int, Field(ge=1, le=2**16)]

ALL_COLUMNS = ("all",)  # as a target
POINT_HEADS = ("mean", "quantiles")  # whose mean has a loss of its own
ROUNDING = 1e-9  # by which shares of a whole may add up to more than it
SEGMENT_PACE = Pace(batch_size=64, epochs=10, patience=5, learning_rate=2e-3, warmup=100)
"""The usual numbers where an example is one window: there are as many of them as steps."""


def _names(value: object) -> object:
    """Return one name or several, as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Sequence) else value


def _days(value: object) -> object:
    """Return a file, one day or several, as texts."""
    return tuple(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else (str(value),)


def _levels(value: object) -> tuple[float, ...]:
    levels = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    rising = all(isinstance(level, int | float) for level in levels) and all(
        low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True)
    )
    if not levels or not rising:
        raise ValueError("quantiles are numbers between 0 and 1 that rise, such as (0.1, 0.5, 0.9)")
    return tuple(float(level) for level in levels)


def _split(value: object) -> object:
    if value is None:
        return None
    parts = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    parts = tuple(part.item() if hasattr(part, "item") else part for part in parts)  # NumPy's numbers and times
    counts = all(isinstance(part, int) and not isinstance(part, bool) and part > 0 for part in parts)
    shares = all(isinstance(part, float) and 0 < part < 1 for part in parts) and sum(map(float, parts)) <= 1 + ROUNDING
    dates = not any(isinstance(part, int | float) for part in parts)
    if len(parts) not in (2, 3) or not (counts or shares or dates):
        raise ValueError(
            "a split is two or three numbers of rows (8640, 2880, 2880), shares of all rows (0.6, 0.2, 0.2), or times "
            "before which the parts end ('2017-06-26', '2017-10-24', '2018-02-21')"
        )
    return tuple(map(str, parts)) if not (counts or shares) else parts


def _loss(value: object) -> object:
    if value == "quantile":
        raise ValueError('the quantile loss is that of head="quantiles", at the levels of quantiles=')
    if value is not None and not callable(value) and value not in get_args(LossName):
        raise ValueError(f"a function was expected, {', '.join(get_args(LossName))}, or None")
    return value


def _time_format(value: str | None) -> str | None:
    from loopcell.data.series.formats import problem_of  # loads NumPy; flags do not

    problem = "" if value is None else problem_of(value)
    if problem:
        raise ValueError(problem)
    return value


def _times(value: object) -> object:
    """Return one name as it is, and several as a tuple."""
    if value is None or isinstance(value, str):
        return value
    names = tuple(value) if isinstance(value, Sequence) else (value,)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("the times are a column, or several: ('year', 'month', 'day', 'hour')")
    return names if len(names) > 1 else names[0]


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
TimeColumns = Annotated[Any, PlainValidator(_times)]
TimeFormat = Annotated[str | None, AfterValidator(_time_format)]
Levels = Annotated[Any, PlainValidator(_levels)]
Split = Annotated[Any, PlainValidator(_split)]
LossChoice = Annotated[Any, PlainValidator(_loss)]


@dataclass(kw_only=True, repr=False, eq=False)
class SeriesSettings(TrainingSettings, MissingSettings):
    """The columns of a table that are time series, and the network that reads them.

    Args:
        target: the column of what is to be learned: of the values to forecast, or several; "all" for all columns that
            are nothing else; not needed for arrays, all of whose columns it is.
        time: the column with the times; or several: year,month,day,hour, or a date and a time of the day. None: those
            of a pandas index, where it has some, and else rows are counted.
        time_format: how times are written: as `datetime.strptime` has it (%d.%m.%y %H:%M), or s, ms, us or ns for
            numbers since 1970; None for what is found: ISO 8601, and dates that tell the day from the month.
        series: the column that tells several series apart. None: there is one.
        known: covariates whose future is known: a holiday, a price that is set.
        past: covariates that are known up to now only.
        static: columns with one value for each series or unit.
        categories: columns whose numbers are categories: covariates such as a shop's number; a column of words is one
            anyway.
        calendar: what of the time stamps becomes covariates: the cycles day, week and year, which are smooth; hour,
            weekday and month, of which each has a learned vector; dayofyear, how far the year is.
        holidays: days such as 2024-12-25, or a file with one in each line: whether it is one becomes a covariate.
        fill: what the network reads where a value is missing: mask, nothing, and it is told that it is missing and how
            long ago the last one came; ffill, the value before; interpolate, a straight line between those around it
            that are known at that time. What is missing is never learned to be forecast, nor scored.
        mask_inputs: tell the network which values are missing; None: where the training part has such.
        fill_gaps: let rows that are missing among regular times be rows without values.
        regular: times have to be evenly spaced, in hours or in the calendar, and a gap is an error. False: rows are
            steps, whatever their times, and the time since the row before is a covariate; forecasts then have no times,
            but those of rows at the end without a target.
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
    time: TimeColumns = None
    time_format: TimeFormat = None
    series: str | None = None
    known: Names = ()
    past: Names = ()
    static: Names = ()
    categories: Names = ()
    calendar: Annotated[tuple[Cycle, ...], BeforeValidator(_names)] = ()
    holidays: Annotated[tuple[str, ...], BeforeValidator(_days)] = ()
    fill: FillName = "mask"
    mask_inputs: bool | None = None
    fill_gaps: bool = False
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
        calibrate: correct the answers by the held-out part: widen or narrow intervals so that as much of it lies in
            them as should; not in a roll-out.
        adapt_rate: go on with that while values come, by this share of their width at each value after those that
            training saw; 0 leaves them; not in a roll-out.
        segment: w, steps of a segment, of which `history` is made: the network reads segments in place of steps, and
            answers for all segments of the horizon side by side (Lin et al.: SegRNN, 2023). An example in training is
            one forecast then. None for a network that reads step by step.
        normalise: what is taken off the history before it is read, and added to the forecast, with `segment`: last, its
            newest value; window, its mean, and it is divided by its deviation; none. None for last.
        split: the rows of the training, the validation and the test part (8640, 2880, 2880), or their shares, or the
            times before which they end; two of them leave the rest out. None for `validation_fraction`.
        season: steps of a season, for the seasonal naive baseline and MASE; None for the usual one of the times' step
            (24 for hours, 7 for days, 12 for months, 1 where rows are counted).
        loss: what is made least: of the mean mse, mae or huber (at 1), with which it is a mean, a median or between;
            for head="mean" and "quantiles". None for mse. Or a function of forecasts and of what came, both [M], on the
            scale of their series, that returns the loss of each or their mean; with head="mean" only. No file keeps
            a function.
        ensemble: k networks in one model: each begins from a seed of its own (`random_state` and those after it), and
            means and quantiles are averaged. All hold out the same newest part. It takes k times the time and the
            memory.
    """

    horizon: Steps = 24
    roll_out: bool = False
    head: HeadName = "quantiles"
    quantiles: Levels = (0.1, 0.5, 0.9)
    paths: PositiveInt = 100
    calibrate: bool = True
    adapt_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.03
    segment: Steps | None = None
    normalise: NormaliseName | None = None
    split: Split = None
    season: PositiveInt | None = None
    loss: LossChoice = None
    ensemble: Annotated[int, Field(ge=1, le=100)] = 1

    def usual(self) -> Pace:
        """Return the usual numbers of a training: those of single windows, with segments."""
        return self.usual_pace if self.segment is None else SEGMENT_PACE


@dataclass(kw_only=True, repr=False, eq=False)
class AnomalySettings(SeriesSettings):
    """The arguments of an `AnomalyDetector` beside the above.

    Args:
        horizon: f, how many steps ahead: each value is forecast 1, ..., f steps before it comes, and all of these
            errors count.
        alarm_rate: the share of the steps of a quiet period that may lie above the threshold.
        smooth: a score is the mean of those of so many steps around it: for anomalies that last, of which single steps
            may look usual; an alarm is then known half as many steps later. 1 leaves each step alone.
        label: a column of zeros and ones that says which steps are anomalous, for scores only; nothing is learned
            from it.
    """

    horizon: Steps = 1
    alarm_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.001
    smooth: Steps = 1
    label: str | None = None


RefitName = Literal["warm", "full"]


@dataclass(kw_only=True)
class BacktestChoice:
    """The forecasts of a backtest that are made, and by what.

    Args:
        windows: of a forecaster, only the last so many forecasts of each series.
        refit: of a forecaster, train a copy anew before a forecast, on all that stands before it: warm (from its
            weights) or full. None leaves the model as it is.
        refit_every: with `refit`, forecasts from one training to the next, else 1.
        random_state: with `refit`, the seed of the copies; None for that of the model's training.
    """

    windows: PositiveInt | None = None
    refit: RefitName | None = None
    refit_every: PositiveInt | None = None
    random_state: Seed | None = None


def demand_segments(settings: ForecasterSettings) -> None:
    """Refuse arguments that do not go together with segments, or without; UsageError says which, and the cure."""
    length, history = settings.segment, settings.history
    if length is None:
        if settings.normalise is not None:
            raise UsageError(
                f"normalise={settings.normalise!r} is for a network of segments: name their length (segment=)"
            )
        return
    if history % length:
        near = [steps for steps in (history - history % length, history + length - history % length) if steps]
        raise UsageError(
            f"a history of {history} is no whole number of segments of {length} steps: "
            f"take history={' or history='.join(map(str, near))}"
        )
    if settings.lags is not None:
        raise UsageError("segments are cut of all of the history: leave out lags, or read step by step (no segment=)")
    if settings.normalise == "window" and settings.head not in POINT_HEADS:
        raise UsageError(f"normalise='window' is for head='mean' and 'quantiles', and the head is {settings.head!r}")


def columns_named(settings: SeriesSettings) -> tuple[str, ...]:
    """Return all columns of a table that settings ask for by name."""
    times = (settings.time,) if isinstance(settings.time, str) else tuple(settings.time or ())
    single = (*times, settings.series, getattr(settings, "label", None))
    target = () if settings.target == ALL_COLUMNS else settings.target
    return (*target, *settings.known, *settings.past, *settings.static, *(name for name in single if name is not None))
