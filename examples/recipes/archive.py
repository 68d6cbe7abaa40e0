"""Six sets of the series archives by nothing but defaults, beside the nearest neighbour by DTW and a linear model.

Each is small: 40 to 270 series to learn from. The published test parts are scored once, with each of the seeds; what
the defaults are was chosen on parts held out of the training parts. That a network is taken to err once more than on
its held-out examples was thought of when test figures of BasicMotions and JapaneseVowels had been seen, and then
compared with the rule before on quarters held out of the training parts. Classifiers are measured by accuracy; of the
two sets of numbers there is R2. Both baselines that learn see the whole training part, the model nine tenths or three
quarters of it: the rest chooses its weights. What the ridge regression says of examples that it left out of the
training part (four folds, drawn ten times) stands beside each: by that, and not by the test part, a model could
know how far to follow it.

`--sets OSULeaf --update` learns some of the sets anew and leaves the others as they were written; the result says of
each when, by which code and where it was measured. BasicMotions and JapaneseVowels can be fetched; the others have to
lie in the folder `uea-ucr` of LOOPCELL_DATA, as their archives have them (timeseriesclassification.com,
tseregression.org). What is not there is left out, and said.

Dynamic time warping (Sakoe, Chiba, 1978) is without a window, of squared differences, all columns together (DTW_D). The
package aeon computes it where that is installed, and else NumPy, one anti-diagonal of many pairs at a time; a test
compares the two. aeon 1.6 asks for versions of pandas and numba before those that go with the project's, and computes
distances with these too: `pip install --no-deps aeon numba llvmlite Deprecated wrapt threadpoolctl`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from recipe import ROOT, Models, Result, main, result_files

from loopcell import ScoreTable, SequenceClassifier, SequenceRegressor
from loopcell.data import fetch, read
from loopcell.tasks.core.inputs import ArrayInput
from loopcell.tasks.sequences.baselines.numbers import ridge

CLASSES = ("BasicMotions", "JapaneseVowels", "OSULeaf", "ACSF1")
NUMBERS = ("Covid3Month", "CardanoSentiment")
SEEDS = (1, 2, 3)
DTW = "nearest by DTW"
WRITTEN = ROOT / "benchmarks" / "results" / "recipes" / "archive.json"
AT_ONCE = 32  # training series beside one another
Set = tuple[Sequence[Any], Sequence[Any]]


def run(small: bool, seeds: int, sets: str, ensemble: int, update: bool) -> Result:
    """Learn each set by defaults with each seed, and score the test part."""
    folder = next(iter(fetch("uea-ucr").values())).parent
    wanted = ["BasicMotions"] if small else sets.split(",")
    names = [name for name in (*CLASSES, *NUMBERS) if name in wanted and _file(folder, name).exists()]
    settings: dict[str, Any] = {"hidden_size": 16, "epochs": 3} if small else {}
    settings |= {"ensemble": ensemble} if ensemble > 1 else {}
    used = SEEDS[: 1 if small else seeds]
    found = before(used, settings) if update and not small else {}
    for name in names:
        found[name] = scored(name, folder, used, settings)
        print(name, {row: round(figure, 3) for row, figure in found[name]["rows"].items()}, flush=True)
    found = {name: found[name] for name in (*CLASSES, *NUMBERS) if name in found}
    rows = summary({name: one["rows"] for name, one in found.items()})
    data = f"{len(found)} sets, {len(used)} seed{'s' * (len(used) > 1)}"
    missing = [name for name in (*CLASSES, *NUMBERS) if name not in found]
    facts = {"seeds": list(used), "sets": found, "left out": missing}
    if update:
        facts["kept"] = f"learned anew: {', '.join(names)}; the seconds are those of all"
    return Result(dict(rows["model"]), ScoreTable(data, rows), settings, facts)


def before(seeds: Sequence[int], settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sets of the result that is written, where it has these seeds and settings."""
    written = json.loads(WRITTEN.read_text(encoding="utf-8"))
    if "sets" not in written or (written["seeds"], written["settings"]) != (list(seeds), settings):
        has = f"the seeds {written['seeds']} and the settings {written['settings']}"
        raise SystemExit(f"--update: what is written has {has}; learn all sets anew")
    for kind in ("seconds", "processor_seconds"):
        Models.taken[kind] = Models.taken.get(kind, 0.0) + written[kind]
    kept: dict[str, dict[str, Any]] = written["sets"]
    return kept


def scored(name: str, folder: Path, seeds: Sequence[int], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the model, which are their mean over the seeds, of the baselines, and how they came."""
    learned, tested = (load(_file(folder, name, part)) for part in ("TRAIN", "TEST"))
    kind = SequenceRegressor if name in NUMBERS else SequenceClassifier
    started, tables = time.process_time(), []
    for seed in seeds:
        model = kind(random_state=seed, progress=True, **settings).fit(*learned)
        tables.append(model.evaluate(*tested, training=learned))
    seconds = (time.process_time() - started) / len(seeds)
    metric = "R2" if name in NUMBERS else "accuracy"
    figures = [table.model[metric] for table in tables]
    rows = {"model": float(np.mean(figures))}
    for row, given in tables[0].rows.items():
        if row != "model":
            rows["linear" if row.startswith("summary") else "no input"] = given[metric]
    rows[DTW] = of_nearest(learned, tested, metric)
    facts = {"each seed": figures, "processor seconds a seed": round(seconds, 1), "DTW by": computed_by()}
    facts |= {"linear, left out of training": of_left_out(learned)} if name in NUMBERS else {}
    return {"rows": rows, **facts, **result_files().state()}


def load(path: Path) -> Set:
    """Return the series of a file, [T, I] each, and what is known of them."""
    return read(path).load("series", "label")


def of_left_out(learned: Set, folds: int = 4, times: int = 10) -> dict[str, float]:
    """Return mean and deviation over draws of folds of R2 of ridge regression on summaries, each fold left out."""
    X, y = learned[0], np.array(list(map(float, learned[1])))
    kind, found = ArrayInput.learn(X, SequenceRegressor()), []
    kind.training_sequences(X)
    for seed in range(times):
        fold = np.random.default_rng(seed).permutation(len(y)) % folds
        given, mean = np.empty(len(y)), np.empty(len(y))
        for one in range(folds):
            rest, own = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
            training = [X[at] for at in rest], y[rest][:, None]
            given[own] = ridge(kind, training, [X[at] for at in own])[1][:, 0]
            mean[own] = y[rest].mean()
        found.append(1 - ((given - y) ** 2).sum() / ((mean - y) ** 2).sum())
    return {"R2": round(float(np.mean(found)), 4), "deviation": round(float(np.std(found)), 4)}


def of_nearest(learned: Set, tested: Set, metric: str) -> float:
    """Return accuracy or R2 of saying what is known of the nearest training series."""
    at = nearest(learned[0], tested[0])
    if metric == "accuracy":
        return float(np.mean(np.array(learned[1])[at] == np.array(tested[1])))
    known, true = (np.array(list(map(float, part[1]))) for part in (learned, tested))
    return float(1 - ((known[at] - true) ** 2).sum() / ((known.mean() - true) ** 2).sum())


def summary(found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the rows of the table: the mean accuracy, and each set."""
    classes = [name for name in found if name in CLASSES]
    rows: dict[str, dict[str, float]] = {}
    for row in ("model", DTW, "linear", "no input"):
        rows[row] = {"mean accuracy": float(np.mean([found[name][row] for name in classes]))}
        rows[row] |= {name if name in CLASSES else f"R2 {name}": found[name][row] for name in found}
    return rows


def _file(folder: Path, name: str, part: str = "TRAIN") -> Path:
    return folder / f"{name}_{part}.ts"


def distances(one: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Return the squared DTW distance of a series [T, I] to each of some others, of lengths of their own, [N]."""
    parts = [_to_some(one, others[start : start + AT_ONCE]) for start in range(0, len(others), AT_ONCE)]
    return np.concatenate(parts)


def _to_some(one: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    lengths = np.array([len(other) for other in others])
    steps, longest, rows = len(one), int(lengths.max()), np.arange(len(others))
    padded = np.zeros((len(others), longest, one.shape[1]), np.float32)
    for row, other in enumerate(others):
        padded[row, : len(other)] = other
    # Column i + 1 is the cell (i, diagonal - i) of the last two diagonals; outside of the table all is infinite.
    before, last = (np.full((len(others), steps + 1), np.inf, np.float32) for _ in range(2))
    found = np.zeros(len(others), np.float32)
    for diagonal in range(steps + longest - 1):
        at = np.arange(max(0, diagonal - longest + 1), min(steps, diagonal + 1))
        cost = ((one[at] - padded[:, diagonal - at]) ** 2).sum(-1)
        now = np.full_like(last, np.inf)
        cheapest = np.minimum(np.minimum(last[:, at], last[:, at + 1]), before[:, at])
        now[:, at + 1] = cost + (cheapest if diagonal else 0)
        ends = rows[steps + lengths - 2 == diagonal]
        found[ends] = now[ends, steps]
        before, last = last, now
    return found


def nearest(learned: Sequence[np.ndarray], tested: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of the training series nearest to each tested one, [N]."""
    known, asked = [_columns(one) for one in learned], [_columns(one) for one in tested]
    pairs = _by_aeon(asked, known) if computed_by() == "aeon" else np.stack([distances(one, known) for one in asked])
    return pairs.argmin(1)


def computed_by() -> str:
    """Return the name of the package that computes the distances."""
    return "aeon" if find_spec("aeon") else "numpy"


def _by_aeon(asked: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> np.ndarray:
    from aeon.distances import dtw_pairwise_distance

    first, second = ([np.ascontiguousarray(one.T, np.float64) for one in part] for part in (asked, known))
    return dtw_pairwise_distance(first, second)


def _columns(series: np.ndarray) -> np.ndarray:
    found = np.asarray(series, np.float32)
    return found[:, None] if found.ndim == 1 else found


if __name__ == "__main__":
    main(
        run,
        flags={
            "--seeds": {"type": int, "default": len(SEEDS), "choices": (1, 2, 3), "help": "how many of the seeds"},
            "--sets": {"default": ",".join((*CLASSES, *NUMBERS)), "help": "which of the sets"},
            "--ensemble": {"type": int, "default": 1, "help": "networks of an ensemble over folds"},
            "--update": {
                "action": "store_true",
                "help": "write these sets beside the others of the result that is there",
            },
        },
    )
