"""Coverage of 80% intervals on every recipe of series, and on made series whose level shifts.

python -m benchmarks.coverage [NAME ...]

Each set is learned with the settings of its recipe and three seeds, and its test part is backtested from every step:
the share of values inside the interval, with quantiles as the network gives them, calibrated by the held-out part, and
following the values that came (the defaults). Beside it stand the quantile loss and the width. `weekly` is made: a
season, noise that lasts, and a level that grows and jumps in the test part, as counts of the ill do. The method and the
rate by which intervals follow were chosen with these figures in view, of test parts too, and by the half-hours of
`solar`: they say that the defaults fit these series, and are no proof on new ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.results import RESULTS, heading, read, write_beside
from loopcell import Forecaster
from loopcell.data import fetch, read as read_data

ROOT = Path(__file__).parents[1]

Floats = npt.NDArray[np.float64]

SEEDS = (1, 2, 3)
NOMINAL = 0.8
WAYS = ("network", "calibrated", "calibrated and following")
SHOWN = ("coverage 80%", "quantile loss", "CRPS", "WQL")


class Task(NamedTuple):
    """A series to forecast.

    Attributes:
        values: [T, K].
        start: the first step of the test part.
        settings: of the forecaster.
    """

    values: Floats
    start: int
    settings: dict[str, Any]


def recipe(name: str) -> Any:
    """Return the module of a recipe."""
    folder = str(ROOT / "examples" / "recipes")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return __import__(name)


def _without(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def sunspots() -> Task:
    """Return the monthly sunspots, the last 40 years to test."""
    values = _column("monthly-sunspots.csv", "Sunspots")
    module = recipe("sunspots")
    return Task(values, len(values) - module.TESTED, _without(module.SETTINGS, "time", "target"))


def passengers() -> Task:
    """Return the logarithm of airline passengers, the last three years to test."""
    module = recipe("passengers")
    return Task(np.log(_column("airline-passengers.csv", "Passengers")), module.LEARNED, module.SETTINGS)


def etth1(*names: str) -> Task:
    """Return the usual 20 months of ETTh1, the last four to test; all columns where none is named."""
    module, source = recipe("forecast_etth1"), read_data(fetch("ett")["ETTh1.csv"])
    columns = names or tuple(name for name in source.columns if name != "date")
    values = np.array([[float(value) for value in column] for column in source.load(*columns)]).T
    return Task(values[: 20 * module.MONTH], 16 * module.MONTH, _without(module.SETTINGS, "time"))


def weekly(seed: int = 0, steps: int = 966) -> Task:
    """Return three made weekly series of 18 years whose level grows, and jumps in the test part."""
    drawn, t = np.random.default_rng(seed), np.arange(steps)
    level = np.exp(0.0009 * t + 0.5 / (1 + np.exp(-(t - 0.75 * steps) / 20)))
    columns = []
    for column in range(3):
        years = np.repeat(drawn.normal(size=steps // 52 + 1), 52)[:steps]
        noise = np.zeros(steps)
        for step, one in enumerate(drawn.normal(0, 0.08, steps)):
            noise[step] = 0.9 * noise[step - 1] + one
        columns.append(level * np.exp(1.2 * np.cos(2 * np.pi * (t - 4 * column) / 52.18) + 0.3 * years + noise))
    settings = {
        "horizon": 24,
        "history": 36,
        "season": 52,
        "hidden_size": 32,
        "batch_size": 8,
        "epochs": 30,
        "warmup": 20,
    }
    return Task(1000 * np.stack(columns, 1), round(0.8 * steps), settings | {"validation_fraction": 0.125})


def _column(name: str, column: str) -> Floats:
    """Return a column of a public series, [T, 1]."""
    (found,) = read_data(fetch("series")[name]).load(column)
    return np.array([float(value) for value in found])[:, None]


def load() -> Task:
    """Return the toy of the documentation: a load with a rhythm of 8 hours, a slow drift, and noise."""
    drawn, hours = np.random.default_rng(0), np.arange(600)
    values = 50 + 0.02 * hours + 5 * np.sin(2 * np.pi * hours / 8) + drawn.normal(0, 1, 600)
    settings = {
        "horizon": 8,
        "history": 24,
        "season": 8,
        "hidden_size": 16,
        "dropout": 0.0,
        "batch_size": 8,
        "learning_rate": 1e-2,
    }
    return Task(values[:, None], 500, settings | {"warmup": 5})


TASKS: dict[str, Callable[[], Task]] = {
    "sunspots": sunspots,
    "passengers": passengers,
    "forecast_etth1": etth1,
    "forecast_etth1, OT alone": lambda: etth1("OT"),
    "load of the documentation": load,
    "weekly, its level shifts": weekly,
}


def measured(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Learn a series, and return its test part's figures in each way."""
    task = TASKS[name]()
    model = Forecaster(**{**task.settings, "random_state": seed}).fit(task.values[: task.start])
    rate, shift = model.adapt_rate, model.network_.shift.clone()
    found = {}
    for way, (moved, following) in zip(WAYS, ((0.0, 0.0), (shift, 0.0), (shift, rate)), strict=True):
        model.set_params(adapt_rate=following).network_.shift.copy_(torch.as_tensor(moved))
        (backtest,) = model.backtest(task.values, start=task.start)
        score = model._scored([backtest]).model  # noqa: SLF001 - of the very backtest whose width is measured
        width = float((backtest.quantiles[..., -1] - backtest.quantiles[..., 0]).mean())
        found[way] = {figure: round(score[figure], 4) for figure in SHOWN} | {"width": float(f"{width:.4g}")}
    return found


def table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return the coverage as lines of a table: the mean of the seeds, and each."""
    lines = [f"| set | {' | '.join(WAYS)} | each seed |", "|---|" + "---|" * (len(WAYS) + 1)]
    for name, seeds in rows.items():
        of = {way: [found[way][SHOWN[0]] for found in seeds.values()] for way in WAYS}
        each = ", ".join(f"{100 * share:.0f}" for share in list(of.values())[-1])
        lines.append(f"| {name} | {' | '.join(f'{100 * np.mean(shares):.1f}' for shares in of.values())} | {each} |")
    return lines


def main(*names: str) -> None:
    """Measure the named series, or all, and print the table; those that are not named stay as they are."""
    path = RESULTS / "coverage.json"
    about = heading(command="python -m benchmarks.coverage", nominal=NOMINAL)
    rows = dict(read(path).get("sets", {}))
    for name in names or TASKS:
        rows[name] = {str(seed): measured(name, seed) for seed in SEEDS}
        print(table({name: rows[name]})[-1], flush=True)
        write_beside(path, about, "sets", name, rows[name])
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
