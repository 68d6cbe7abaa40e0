"""The results of a forecaster: a forecast, and forecasts from many places of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.examples import Scale
from loopcell.data.series import shown
from loopcell.errors import InputError
from loopcell.tasks.forecasting.frames import Library, html_of, to_frame
from loopcell.tasks.forecasting.strategies import ForecastBatch

Floats = npt.NDArray[np.float64]

HISTORIES = 4


@dataclass(frozen=True, eq=False)
class Forecast:
    """The next f steps of one series, in its own units.

    Attributes:
        series: its name; "" where there is one.
        times: [f]; NaT (of numbers NaN) where a model with `regular=False` was not given them.
        target_names: K names.
        mean: float64 [f, K]; within the outer quantiles, where these stand on both sides of one half.
        levels: Q levels; none where the head knows the mean only.
        quantiles: float64 [f, K, Q], rising in Q.
        zone: of the times, which themselves are in UTC then; None where the data had none.
        history_times: [H], of the last steps before.
        history: float64 [H, K], what these were, for `plot`; H is 0 where it is not at hand.
        actual: float64 [f, K], what came, in a backtest; None where it is not known.
    """

    series: str
    times: npt.NDArray[Any]
    target_names: tuple[str, ...]
    mean: Floats
    levels: tuple[float, ...]
    quantiles: Floats
    zone: str | None = None
    history_times: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0))
    history: Floats | None = None
    actual: Floats | None = None

    def quantile(self, level: float) -> Floats:
        """Return the values [f, K] below which so much of the future is expected to lie.

        Raises:
            InputError: it is none of `levels`.
        """
        if level not in self.levels:
            raise InputError(f"this forecast has the quantiles {', '.join(map(str, self.levels)) or '(none)'}")
        return self.quantiles[..., self.levels.index(level)]

    def plot(self, ax: Any = None, *, target: str | None = None, actual: npt.ArrayLike | None = None) -> Any:
        """Draw a fan chart: the median, an interval for each pair of quantiles, the history before, and what came.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `forecast.plot().figure`.
            target: the column, where there are several.
            actual: what came, [f] or fewer steps; None takes that of a backtest.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
            UsageError: there is no such target, or several and none was named.
            InputError: `actual` has another shape.
        """
        from loopcell.tasks.forecasting.plots import column_named, fan_chart

        column = column_named(self.target_names, target)
        came = None if self.actual is None else self.actual[:, column]
        if actual is not None:
            came = np.asarray(actual, np.float64)
            if came.ndim != 1 or len(came) > len(self.times):
                raise InputError(f"actual: at most {len(self.times)} numbers were expected, got {list(came.shape)}")
        return fan_chart(self, column, came, ax)

    def to_frame(self, library: Library | None = None) -> Any:
        """Return a data frame with a row for each step of each target.

        Its columns are `series` (where it has a name), `target`, `time` (on the clock of its zone; where no time is
        known, left out), `step` (from 1), `mean`, a column for each level (`quantile_0.1`), and in a backtest `actual`.

        Args:
            library: "pandas" or "polars"; None takes pandas where it is installed, and else polars.

        Raises:
            UsageError: the library is neither.
            MissingExtraError: it is not installed.
        """
        return to_frame([self], library)

    def _repr_html_(self) -> str:
        """Show the forecast in a notebook, as a table with a row for each step."""
        return html_of(self)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each step, as JSON values: time, series, and for each target the mean and the quantiles.

        Where the time of a step is not known, its number is given ("step", from 1).
        """
        for step, time in enumerate(self.times):
            row: dict[str, Any] = {"series": self.series} if self.series else {}
            row |= time_row(time, self.zone) if time == time else {"step": step + 1}  # noqa: PLR0124 - not NaT or NaN
            for column, name in enumerate(self.target_names):
                row[name] = float(self.mean[step, column])
                for at, level in enumerate(self.levels):
                    row[f"{name}_{level:g}"] = float(self.quantiles[step, column, at])
            yield row


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of one series from N places, each made from what was known then.

    Attributes:
        series: all of it, in its own units.
        places: int64 [N], the first steps of the futures.
        mean: float64 [N, f, K].
        levels: Q levels.
        quantiles: float64 [N, f, K, Q].
        size: [K], what errors are divided by to stand on the model's scale; of a series that training did not have
            it is the deviation of all of it, which no forecast knew.
    """

    series: Series
    places: npt.NDArray[np.int64]
    mean: Floats
    levels: tuple[float, ...]
    quantiles: Floats
    size: Floats

    def to_frame(self, library: Library | None = None) -> Any:
        """Return a data frame of all forecasts: the columns of `Forecast.to_frame`, and before them `origin`.

        `origin` is the time of the last step that was known, or its number where no time is known.

        Args:
            library: "pandas" or "polars"; None takes pandas where it is installed, and else polars.

        Raises:
            UsageError: the library is neither.
            MissingExtraError: it is not installed.
        """
        origins = self.series.times[self.places - 1]
        return to_frame([self._plain(number) for number in range(len(self))], library, origins)

    @property
    def true(self) -> Floats:
        """The values that came, float64 [N, f, K]."""
        found: Floats = self.series.target[self.places[:, None] + np.arange(self.mean.shape[1])]
        return found

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Forecast:
        """Return the forecast from place `number`."""
        return with_history(self._plain(number), self.series, int(self.places[number]))

    def _plain(self, number: int) -> Forecast:
        """Return the same without the history before it."""
        place, f = int(self.places[number]), self.mean.shape[1]
        times, names = self.series.times[place : place + f], self.series.target_names
        mean, quantiles, true = self.mean[number], self.quantiles[number], self.series.target[place : place + f]
        return Forecast(self.series.name, times, names, mean, self.levels, quantiles, self.series.zone, actual=true)


def joined(parts: Sequence[Backtest]) -> list[Backtest]:
    """Return backtests of several models as one for each series, in the order of their places.

    The size is that of the first model, by which all errors are divided.
    """
    of: dict[str, list[Backtest]] = {}
    for part in parts:
        of.setdefault(part.series.name, []).append(part)
    return [_joined(some) for some in of.values()]


def _joined(parts: Sequence[Backtest]) -> Backtest:
    places, mean, quantiles = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("places", "mean", "quantiles")
    )
    return replace(parts[0], series=parts[-1].series, places=places, mean=mean, quantiles=quantiles)


def with_history(forecast: Forecast, series: Series, place: int) -> Forecast:
    """Return a forecast with the steps of its series before a place, `HISTORIES` times as many as it has itself."""
    part = slice(max(0, place - HISTORIES * len(forecast.times)), place)
    return replace(forecast, history_times=series.times[part].copy(), history=series.target[part].copy())


def time_row(time: Any, zone: str | None) -> dict[str, Any]:
    """Return a time as it stands in a row of JSON values."""
    return {"time": shown(time, zone) if isinstance(time, np.datetime64) else time.item()}


def in_units(futures: ForecastBatch, scale: Scale, *, counts: bool) -> ForecastBatch:
    """Return forecasts in the units of a series; quantiles of counts stay whole, which scaling would not keep."""
    mean = scale.undo(futures.mean)
    quantiles = scale.undo(futures.quantiles.swapaxes(-1, -2)).swapaxes(-1, -2)
    return ForecastBatch(mean, np.round(quantiles) if counts else quantiles)
