"""Forecasts as fan charts, and anomalies as a series with its scores: drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.data.series import wall
from loopcell.errors import UsageError
from loopcell.insight.plots import BLACK, BLUE, RED, axes_on, style

if TYPE_CHECKING:
    from loopcell.tasks.forecasting.results import Forecast

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[Any]

FAINTEST, DARKEST = 0.15, 0.45  # of the intervals, the widest first
SAME = 1e-9  # of two levels
MOST_PANELS = 12
PANEL = 2.6  # inches


def fan_chart(forecast: Forecast, column: int, actual: Floats | None, ax: Any) -> Any:
    """Draw one target of a forecast: the median, an interval for each pair of quantiles, history and what came.

    Args:
        forecast: it.
        column: the number of the target.
        actual: the values that came, [f] or fewer; None where they are not known.
        ax: matplotlib Axes; None makes a figure.
    """
    before = np.empty(0) if forecast.history is None else forecast.history[:, column]
    with style():
        ax = axes_on(ax)
        x, ahead = _axis(forecast.history_times, forecast.times, forecast.zone)
        joined = np.concatenate([x[-1:], ahead])  # intervals open at the last value that is known
        _draw_intervals(ax, joined, before[-1:], forecast, column)
        if len(before):
            ax.plot(x, before, color=BLACK, linewidth=1.2, label="history")
        middle, name = _middle(forecast, column)
        ax.plot(joined, np.concatenate([before[-1:], middle]), color=BLUE, linewidth=1.8, label=name)
        if actual is not None:
            ax.plot(ahead[: len(actual)], actual, color=RED, linewidth=1.4, linestyle="--", label="what came")
        _finish(ax, (forecast.series, forecast.target_names[column]), ahead)
        ax.legend(fontsize=8, ncols=2)
    return ax


def figure_of_forecasts(forecasts: Sequence[Forecast]) -> tuple[Any, int]:
    """Return a matplotlib Figure with a fan chart for each target of each forecast, and how many were left out."""
    with style():
        from matplotlib.figure import Figure

        every = [(forecast, column) for forecast in forecasts for column in range(len(forecast.target_names))]
        shown = every[:MOST_PANELS]
        figure = Figure(figsize=(8.0, PANEL * len(shown) + 0.4), layout="constrained")
        for ax, (forecast, column) in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
            fan_chart(forecast, column, None, ax)
    return figure, len(every) - len(shown)


def anomaly_chart(series: Series, column: int, scores: Floats, threshold: float, ax: Any) -> tuple[Any, Any]:
    """Draw a column of a series with its alarms, and below it the scores with the threshold.

    Args:
        series: the steps that have been, T.
        column: the number of the target.
        scores: [T]; NaN where there is none.
        threshold: above it is an alarm.
        ax: matplotlib Axes of a subplot, which is divided into two; None makes a figure.
    """
    with style():
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        ax = axes_on(ax, 8.0, 4.2)
        place = ax.get_subplotspec()
        if place is None:
            raise UsageError("ax: Axes of a subplot are divided into two, and these are none; take figure.subplots()")
        ax.set_axis_off()
        grid = GridSpecFromSubplotSpec(2, 1, subplot_spec=place, height_ratios=(2, 1))
        above = ax.figure.add_subplot(grid[0])
        below = ax.figure.add_subplot(grid[1], sharex=above)
        alarms = scores > threshold
        x, _ = _axis(series.times, series.times[:0], series.zone)
        values = series.target[:, column]
        above.plot(x, values, color=BLACK, linewidth=1.0)
        above.plot(x[alarms], values[alarms], "o", color=RED, markersize=4, label=f"{int(alarms.sum()):,} anomalies")
        above.legend(fontsize=8)
        above.tick_params(labelbottom=False)
        below.plot(x, scores, color=BLUE, linewidth=1.0)
        below.axhline(threshold, color=RED, linestyle="--", linewidth=1.0, label=f"threshold {threshold:.3g}")
        below.set_ylabel("score")
        below.set_ylim(bottom=0)
        below.legend(fontsize=8)
        _finish(above, (series.name, series.target_names[column]), x)
    return above, below


def column_named(names: Sequence[str], target: str | None) -> int:
    """Return the number of the target that is drawn.

    Raises:
        UsageError: there is none of that name, or there are several and none was named.
    """
    known = ", ".join(map(repr, names))
    if target is None and len(names) > 1:
        raise UsageError(f"one target is drawn, and there are {known}: name it (target=)")
    if target is not None and target not in names:
        raise UsageError(f"there is no target {target!r}; there is {known}")
    return 0 if target is None else names.index(target)


def _draw_intervals(ax: Any, x: Times, last: Floats, forecast: Forecast, column: int) -> None:
    """Fill between each quantile below the median and the one as far above it, the widest pair first."""
    levels = forecast.levels
    pairs = [(low, high) for low in levels for high in levels if low < 0.5 and abs(low + high - 1) < SAME]
    alphas = np.linspace(FAINTEST, DARKEST, len(pairs)) if len(pairs) > 1 else [0.25]
    for (low, high), alpha in zip(pairs, alphas, strict=False):
        ends = (np.concatenate([last, forecast.quantile(level)[:, column]]) for level in (low, high))
        ax.fill_between(x, *ends, color=BLUE, alpha=alpha, linewidth=0, label=f"{high - low:.0%} interval")


def _middle(forecast: Forecast, column: int) -> tuple[Floats, str]:
    """Return the median, or the mean where it is not given, [f], and what it is."""
    if 0.5 in forecast.levels:
        return forecast.quantile(0.5)[:, column], "median"
    return forecast.mean[:, column], "mean"


def _axis(past: Times, ahead: Times, zone: str | None) -> tuple[Times, Times]:
    """Return where steps that have been and those to come stand: their times on the clock of their zone, or numbers.

    Where a time is not known, as of forecasts with `regular=False`, the steps to come are 1, 2, ...
    """
    if not all((part == part).all() for part in (past, ahead)):  # noqa: PLR0124 - NaT or NaN
        return np.arange(1 - len(past), 1), np.arange(1, len(ahead) + 1)
    return (wall(past, zone), wall(ahead, zone)) if ahead.dtype.kind == "M" else (past, ahead)


def _finish(ax: Any, names: Sequence[str], x: Times) -> None:
    """Write the title and, in short, the times."""
    ax.set_title(", ".join(filter(None, names)), fontsize=10, parse_math=False)
    if x.dtype.kind != "M":
        return
    from matplotlib import dates

    untyped: Any = dates
    locator = untyped.AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))
