"""The next 12 months of airline passengers, 144 months from 1949 on: backtest over the last three years.

Box, Jenkins: Time Series Analysis, 1970. The model learns from the logarithm, because the season grows with the
level; its forecasts are turned back, so errors are passengers (in thousands). 108 months to train on, the last
quarter of which chooses the weights; then a forecast from every month of the last 36. MASE divides by the error
of "as a year ago" before the test.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from recipe import Result, main

from loopcell import Forecaster, ScoreTable
from loopcell.data import fetch, read
from loopcell.tasks.forecasting.baselines import naive_error, seasonal_naive
from loopcell.tasks.forecasting.metrics import Forecasts, forecast_metrics

SETTINGS: dict[str, Any] = {
    "random_state": 1,
    "horizon": 12,
    "history": 24,
    "season": 12,
    "hidden_size": 4,
    "dropout": 0.5,
    "batch_size": 2,
    "epochs": 600,
    "patience": 300,
    "learning_rate": 1e-2,
    "warmup": 20,
    "validation_fraction": 0.25,
}
LEARNED = 108


def run(small: bool) -> Result:
    """Train on nine years, forecast the last three month by month, beside the last value and a year ago."""
    (column,) = read(fetch("series")["airline-passengers.csv"]).load("Passengers")
    passengers = np.array([float(value) for value in column])[:, None]
    settings = {**SETTINGS, "epochs": 2} if small else SETTINGS
    model = Forecaster(**settings, progress=True).fit(np.log(passengers[:LEARNED]))
    (found,) = model.backtest(np.log(passengers), start=LEARNED)
    size, naive = passengers[:LEARNED].std(0), naive_error(passengers[:LEARNED], 12)
    true = np.exp(found.true)

    def scored(mean: np.ndarray[Any, Any], quantiles: np.ndarray[Any, Any] | None = None) -> dict[str, float]:
        return forecast_metrics([Forecasts(true, mean, quantiles, size, naive)], found.levels)

    rows = {"model": scored(np.exp(found.mean), np.exp(found.quantiles))}
    for name, season in (("naive", 1), ("seasonal naive (12)", 12)):
        rows[name] = scored(seasonal_naive(passengers, found.places, settings["horizon"], season))
    table = ScoreTable(f"{len(found):,} forecasts of 12 months", rows)
    figures = {name: table.model[name] for name in ("MASE", "MAE", "coverage 80%")}
    return Result(figures, table, settings, {"months": {"training": LEARNED, "test": len(passengers) - LEARNED}})


if __name__ == "__main__":
    main(run)
