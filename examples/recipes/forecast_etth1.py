"""The next 24 hours of a transformer's oil temperature and six loads: ETTh1, hourly, all seven columns and OT alone.

The usual split: 12 months to train on, 4 to choose the best weights by, 4 to test; a forecast from every hour of the
test part. Errors are on the scale of the training part (mean 0, deviation 1), as in the papers. Settings were chosen on
the 4 months of validation, and the test part was scored with the chosen ones.
"""

from __future__ import annotations

from recipe import Known, Result, main

from loopcell import Forecaster, ScoreTable
from loopcell.data import fetch, read

MONTH = 30 * 24
SETTINGS = {
    "random_state": 1,
    "time": "date",
    "horizon": 24,
    "history": 96,
    "hidden_size": 128,
    "dropout": 0.4,
    "weight_decay": 0.1,
    "batch_size": 4,
    "epochs": 30,
    "patience": 10,
    "learning_rate": 2e-3,
    "warmup": 50,
    "validation_fraction": 0.25,
}
KNOWN = Known(
    "0.650 MSE, 0.624 MAE with all columns (LSTMa)",
    "Zhou et al.: Informer, 2021 (arXiv 2012.07436), table 2",
)


def run(small: bool) -> Result:
    """Train on 16 months, of which 4 choose; score on the next 4, beside the last value and that of a day before."""
    path = fetch("ett")["ETTh1.csv"]
    names = [name for name in read(path).columns if name != "date"]
    rows = dict(zip(("date", *names), read(path).load("date", *names), strict=True))
    month = 60 if small else MONTH
    settings = {**SETTINGS, "hidden_size": 8, "history": 24, "epochs": 2} if small else SETTINGS
    together, alone = (_scored(rows, target, month, settings) for target in (names, ["OT"]))
    figures = {name: together.model[name] for name in ("scaled MSE", "scaled MAE", "coverage 80%")}
    figures |= {f"OT alone, {name}": alone.model[name] for name in figures}
    facts = {"months": {"training": 12, "validation": 4, "test": 4}, "OT alone": alone.to_json()["rows"]}
    return Result(figures, together, settings, facts)


def _scored(rows: dict[str, object], target: list[str], month: int, settings: dict[str, object]) -> ScoreTable:
    """Return the test part's figures of a model of some columns."""

    def part(stop: int) -> dict[str, list[object]]:
        return {name: list(rows[name])[:stop] for name in ("date", *target)}

    model = Forecaster(target=target, **settings, progress=True).fit(part(16 * month))
    return model.evaluate(part(20 * month), start=16 * month)


if __name__ == "__main__":
    main(run, KNOWN)
