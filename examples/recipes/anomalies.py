"""Two labelled series: where does a detector that has only seen quiet data raise its score?

An ECG whose rhythm changes three times in 10,000 steps, and series 135 of the UCR anomaly archive (blood pressure, one
anomaly of 12 steps): there the highest score has to lie within 100 steps of the marked place. The detector forecasts a
few steps, and its scores are averaged over a beat; how many steps, and the length of the history, were chosen on the
labelled training series of the ECG (TRAIN_A), not on the test. For the blood pressure everything is default.

Beside it stand the distance of each window of 100 steps to the nearest window of the quiet series, both brought to mean
0 and deviation 1 (the matrix profile across two series, Yeh and others, 2016), and the distance of each value from the
mean in deviations. Every threshold comes from the quiet series by the same rule: one in a thousand of its steps is
above it. The files have to lie in the folder `anomaly` of LOOPCELL_DATA, as the package aeon has them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from recipe import Result, main

from loopcell import AnomalyDetector, ScoreTable
from loopcell.data import read
from loopcell.errors import UsageError
from loopcell.tasks.forecasting.anomaly_metrics import anomaly_metrics

ECG = {"history": 48, "horizon": 4, "smooth": 101}
WINDOW, ALARMS, NEAR = 100, 0.001, 100
UCR = "135_UCR_Anomaly_InternalBleeding16"
Floats = np.ndarray


def run(small: bool) -> Result:
    """Learn from the quiet parts; score the steps of both test series."""
    quiet, _ = series("ecg-diff-count-3_TRAIN_NA.csv", "value-0")
    tested, labels = series("ecg-diff-count-3_TEST.csv", "value-0")
    settings = {**ECG, "random_state": 1} | ({"hidden_size": 8, "epochs": 1} if small else {})
    model = AnomalyDetector(alarm_rate=ALARMS, progress=True, **settings).fit(quiet[:, None])
    by_window = profile(quiet, quiet, itself=True), profile(tested, quiet)
    by_value = (np.abs(part - quiet.mean()) / quiet.std() for part in (quiet, tested))
    rows = {
        "model": anomaly_metrics([labels], model.score_samples(tested[:, None]), model.threshold_),
        "nearest window": measured(*by_window, labels),
        "distance from the mean": measured(*by_value, labels),
    }
    facts = {UCR: of_ucr(small)}
    table = ScoreTable(f"an ECG of {len(tested):,} steps, {int(labels.sum())} of them anomalous", rows)
    return Result({name: rows["model"][name] for name in ("F1", "average precision")}, table, settings, facts)


def series(name: str, column: str) -> tuple[Floats, Floats]:
    """Return the values [T] of a file, and which steps are anomalous [T]."""
    folder = Path(os.environ.get("LOOPCELL_DATA", "")) / "anomaly"
    if not folder.is_dir():
        raise UsageError("LOOPCELL_DATA has to name a folder in which there is a folder 'anomaly'")
    records = read(folder / name)
    values, labels = (np.asarray(list(records.column(one)), np.float64) for one in (column, "is_anomaly"))
    return values, labels


def of_ucr(small: bool) -> dict[str, Any]:
    """Return how far the highest scores of the model and of the windows are from the marked place."""
    quiet, _ = series(f"{UCR}_TRAIN.csv", "value")
    tested, labels = series(f"{UCR}_TEST.csv", "value")
    about = {"hidden_size": 8, "epochs": 1} if small else {}
    model = AnomalyDetector(random_state=1, progress=True, **about).fit(quiet[:, None])
    scores = {
        "model": model.score_samples(tested[:, None])[0],
        "nearest window": profile(tested, quiet),
        "distance from the mean": np.abs(tested - quiet.mean()),
    }
    marked = np.flatnonzero(labels)
    away = {name: int(np.abs(marked - np.nanargmax(score)).min()) for name, score in scores.items()}
    found = {name: bool(steps <= NEAR) for name, steps in away.items()}
    return {"steps from the marked place": away, "found": found}


def measured(quiet: Floats, tested: Floats, labels: Floats) -> dict[str, float]:
    """Return the metrics of scores, with the threshold that leaves one in a thousand quiet steps above it."""
    return anomaly_metrics([labels], [tested], float(np.quantile(quiet, 1 - ALARMS)))


def profile(values: Floats, known: Floats, *, itself: bool = False) -> Floats:
    """Return for each step [T] the mean distance of the windows that hold it from the nearest window of `known`.

    Args:
        values: [T].
        known: [S].
        itself: whether the two are one series: a window is then no neighbour of one that it shares a step with.
    """
    windows, others = _standard(values), _standard(known)
    nearest = np.empty(len(windows))
    for start in range(0, len(windows), 500):
        alike = windows[start : start + 500] @ others.T
        if itself:
            apart = np.abs(np.arange(start, start + len(alike))[:, None] - np.arange(len(others)))
            alike[apart < WINDOW] = -np.inf
        nearest[start : start + 500] = np.sqrt(np.maximum(0.0, 2 * WINDOW - 2 * alike.max(1)))
    held = np.convolve(np.ones(len(nearest)), np.ones(WINDOW))
    return np.convolve(nearest, np.ones(WINDOW)) / held


def _standard(values: Floats) -> Floats:
    windows = sliding_window_view(values, WINDOW).astype(np.float32)
    return (windows - windows.mean(1, keepdims=True)) / (windows.std(1, keepdims=True) + 1e-9)


if __name__ == "__main__":
    main(run)
