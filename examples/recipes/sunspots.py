"""The next 12 months of sunspots, 2,820 months from 1749 on: backtest over the last 40 years.

The cycle is of about 11 years, not quite regular; the season of the baseline is of 132 months. 2,340 months to
train on, the last tenth of which chooses the weights; then a forecast from every month of the last 480. MASE
divides by the error of "as 132 months ago" before the test.
"""

from __future__ import annotations

from typing import Any

from recipe import Result, main

from loopcell import Forecaster
from loopcell.data import fetch, read

SETTINGS: dict[str, Any] = {
    "random_state": 1,
    "time": "Month",
    "target": "Sunspots",
    "horizon": 12,
    "history": 132,
    "season": 132,
    "hidden_size": 32,
    "dropout": 0.3,
    "batch_size": 4,
    "epochs": 40,
    "patience": 10,
    "learning_rate": 2e-3,
    "warmup": 100,
}
TESTED = 480


def run(small: bool) -> Result:
    """Train up to 1943, forecast the rest month by month, beside the last value and a cycle ago."""
    columns = read(fetch("series")["monthly-sunspots.csv"]).load("Month", "Sunspots")
    months = {name: list(column) for name, column in zip(("Month", "Sunspots"), columns, strict=True)}
    known = len(columns[0]) - TESTED
    settings = {**SETTINGS, "history": 24, "hidden_size": 8, "epochs": 2} if small else SETTINGS
    learned = {name: column[:known] for name, column in months.items()}
    model = Forecaster(**settings, progress=True).fit(learned)
    scores = model.evaluate(months, start=known)
    figures = {name: scores.model[name] for name in ("MASE", "MAE", "coverage 80%")}
    return Result(figures, scores, settings, {"months": {"training": known, "test": TESTED}})


if __name__ == "__main__":
    main(run)
