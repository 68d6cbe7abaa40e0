"""ETTh1 with a fifth of its entries removed: what is lost, by what is read in the place of a missing value.

python -m benchmarks.missing_values [NAME ...]

One in five values of all seven columns is drawn, with a seed, and removed: from the parts that are learned from and
chosen by (8,640 and 2,880 hours) and from the histories of the test part (2,880 hours). Scores are of all true values
of the test part, the removed ones too, on the scale on which the training part has mean 0 and deviation 1. Every model
is the same GRU, or the cell that is named, with the same settings, which were not chosen for any of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import data_folder
from benchmarks.results import RESULTS, heading, write_beside
from loopcell import Forecaster
from loopcell.data import read as read_data

REMOVED = 0.2
SEEDS = (1, 2, 3)
SPLIT = (8640, 2880, 2880)
SETTINGS: dict[str, Any] = {
    "target": "all",
    "split": SPLIT,
    "horizon": 24,
    "history": 96,
    "lags": 24,
    "head": "mean",
    "hidden_size": 64,
    "dropout": 0.3,
    "batch_size": 4,
    "epochs": 40,
    "patience": 10,
    "learning_rate": 2e-3,
    "warmup": 50,
    "device": "cpu",
}
WAYS: dict[str, dict[str, Any]] = {
    "nothing removed": {},
    "mask": {"fill": "mask"},
    "ffill": {"fill": "ffill", "mask_inputs": False},
    "interpolate": {"fill": "interpolate", "mask_inputs": False},
    "interpolate, told": {"fill": "interpolate", "mask_inputs": True},
    "gru_d": {"fill": "mask", "cell": "gru_d"},
    "gru_decay": {"fill": "mask", "cell": "gru_decay"},
}

Floats = npt.NDArray[np.float64]


def table() -> Floats:
    """Return the hours of the split, [T, 7]."""
    path = data_folder() / "ett" / "ETTh1.csv"
    names = [name for name in read_data(path).columns if name != "date"]
    columns = read_data(path).load(*names)
    return np.stack([np.array(column.values, np.float64) for column in columns], 1)[: sum(SPLIT)]


def measured(way: str, seed: int) -> dict[str, Any]:
    """Train on the table with holes, and score on all of its test part."""
    full = table()
    holes = np.random.default_rng(seed).random(full.shape) < (0.0 if way == "nothing removed" else REMOVED)
    given = np.where(holes, np.nan, full)
    started = time.process_time()
    model = Forecaster(random_state=seed, **SETTINGS | WAYS[way]).fit(given)
    seconds = time.process_time() - started
    (found,) = model.backtest(given, start=sum(SPLIT[:2]))
    error = full[found.places[:, None] + np.arange(found.mean.shape[1])] - found.mean
    scaled = error / full[: SPLIT[0]].std(0)
    return {
        "way": way,
        "seed": seed,
        "MSE": float((scaled**2).mean()),
        "MAE": float(np.abs(scaled).mean()),
        "windows": len(found),
        "CPU seconds": round(seconds, 1),
    }


def main(asked: Sequence[str]) -> None:
    """Measure the named ways, or all; those that are not named stay in the file as they are."""
    unknown = [name for name in asked if name not in WAYS]
    if unknown:
        raise SystemExit(f"there is no {unknown[0]!r}; there are {', '.join(WAYS)}")
    about = heading(settings=SETTINGS, ways=WAYS, removed=REMOVED)
    for way in asked or WAYS:
        rows = [measured(way, seed) for seed in SEEDS]
        mean = {metric: float(np.mean([row[metric] for row in rows])) for metric in ("MSE", "MAE")}
        print(f"{way:18} MSE {mean['MSE']:.4f}  MAE {mean['MAE']:.4f}  (mean of {len(rows)} seeds)", flush=True)
        found = {**mean, "seeds": rows}
        write_beside(RESULTS / "missing_values.json", about, "ways_measured", way, found)


if __name__ == "__main__":
    main(sys.argv[1:])
