"""Forecasting: series on a scale, stretches to train on, the network, its heads, and ways to look ahead."""

from loopcell.tasks.forecasting.columns import continued, notes_of, usual_season
from loopcell.tasks.forecasting.estimator import SeriesEstimator, first_after
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.futures import Ahead, Direct, Futures, RollOut
from loopcell.tasks.forecasting.heads import HEADS, Head
from loopcell.tasks.forecasting.results import Backtest, Forecast, in_units
from loopcell.tasks.forecasting.scaled import ScaledSeries, with_future
from loopcell.tasks.forecasting.state import Kept, SeriesState

__all__ = [
    "HEADS",
    "Ahead",
    "Backtest",
    "Direct",
    "Forecast",
    "Futures",
    "Head",
    "Kept",
    "RollOut",
    "ScaledSeries",
    "SeriesEstimator",
    "SeriesExamples",
    "SeriesState",
    "continued",
    "first_after",
    "in_units",
    "notes_of",
    "usual_season",
    "with_future",
]
