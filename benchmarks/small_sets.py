"""Default settings on small sets: what the numbers by the count of examples bring, and what calibration does.

python -m benchmarks.small_sets [NAME ...]

Every set is learned with nothing but defaults; and, in turn with that, with the numbers that thousands of examples have
(batches of 32, 20 passes, patience 5) and with those that go by the number of examples, both read from the last step as
all sequences were before long ones were pooled. Beside the test part's accuracy or R2 stand the best baseline, and the
log loss with the temperature and without. The sets of the archive are as they are; of
the others a part is drawn, and of cylinder-bell-funnel (Saito, 1994) everything.

The rule of `loopcell.tasks.core.pace` (batch size, passes, patience, rate, warm-up) was chosen with test figures of the
drawn and generated sets in view, so these sets are no proof of it. How many examples are held out where numbers are
predicted, and how predictions are drawn to the mean (`loopcell.tasks.sequences.shrinkage`), was chosen on generated
sequences, of noise and of a signal in noise, and on quarters held out of the training parts of the two sets of numbers.
The pooling of long sequences (`loopcell.tasks.core.networks.pooling`) was chosen without a test figure: on parts that
were held out of the training parts of the archive's sets, on other names and splice sites, and on generated series of
other seeds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.machine import data_folder
from benchmarks.results import RESULTS, heading, write_beside
from loopcell import SequenceClassifier, SequenceRegressor
from loopcell.data import read as read_data

SEEDS = (1, 2, 3)
OF_THOUSANDS = {"batch_size": 32, "epochs": 20, "patience": 5, "learning_rate": 2e-3, "warmup": 100}
LAST: dict[str, Any] = {"pooling": "last"}
OF_NUMBERS = {"validation_fraction": 0.1, "calibrate": False}  # what thousands of numbers to predict have beside these
SETTINGS: dict[str, dict[str, Any]] = {
    "numbers of thousands": OF_THOUSANDS | LAST,
    "by the number of examples": LAST,
    "defaults": {},
}


class SmallSet(NamedTuple):
    """Examples to learn from and to test on."""

    X: Sequence[Any]
    y: Sequence[Any]
    tested: Sequence[Any]
    truth: Sequence[Any]


def archive(name: str) -> SmallSet:
    """Return a set of the UEA/UCR or the regression archive, in its own split."""
    parts = [
        read_data(data_folder() / "uea-ucr" / f"{name}_{part}.ts").load("series", "label") for part in ("TRAIN", "TEST")
    ]
    (X, y), (tested, truth) = parts
    return SmallSet(X, y, tested, truth)


def cylinder_bell_funnel(count: int, seed: int, test: int = 600) -> SmallSet:
    """Return a level, a ramp up or a ramp down somewhere in 128 steps of noise."""
    drawn = np.random.default_rng(seed)
    y = [index % 3 for index in range(count + test)]
    X = [_shape(kind, drawn) for kind in y]
    labels = [("cylinder", "bell", "funnel")[kind] for kind in y]
    return SmallSet(X[:count], labels[:count], X[count:], labels[count:])


def _shape(kind: int, drawn: np.random.Generator) -> npt.NDArray[np.float32]:
    start = drawn.integers(16, 33)
    end = start + drawn.integers(32, 97)
    t = np.arange(1, 129)
    inside = (t >= start) & (t <= end)
    ramp = (np.ones(128), (t - start) / (end - start), (end - t) / (end - start))[kind]
    shape = (6 + drawn.normal()) * inside * ramp + drawn.normal(size=128)
    return shape.astype(np.float32)[:, None]


def names(count: int, seed: int) -> SmallSet:
    """Return family names and their languages."""
    files = sorted((data_folder() / "names").glob("*.txt"))
    rows = [(line.strip(), file.stem) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return _part([row for row in rows if row[0]], count, seed)


def splice_sites(count: int, seed: int) -> SmallSet:
    """Return segments of DNA, and whether and how they are cut in the middle."""
    lines = (data_folder() / "dna-splice" / "splice.data").read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    return _part([(sequence.strip(), kind.strip()) for kind, _, sequence in cells], count, seed)


def _part(rows: Sequence[tuple[str, str]], count: int, seed: int, test: int = 1000) -> SmallSet:
    """Take so many rows to learn from, and others to test on whose labels are among theirs."""
    order = np.random.default_rng(seed).permutation(len(rows))
    known = [rows[index] for index in order[:count]]
    labels = {label for _, label in known}
    others = [rows[index] for index in order[count:] if rows[index][1] in labels][:test]
    return SmallSet(*map(list, zip(*known, strict=True)), *map(list, zip(*others, strict=True)))


SETS: dict[str, Callable[[int], SmallSet]] = {
    "names-100": lambda seed: names(100, seed),
    "names-300": lambda seed: names(300, seed),
    "splice-100": lambda seed: splice_sites(100, seed),
    "splice-600": lambda seed: splice_sites(600, seed),
    "cbf-50": lambda seed: cylinder_bell_funnel(50, seed),
    "cbf-600": lambda seed: cylinder_bell_funnel(600, seed),
    "BasicMotions": lambda seed: archive("BasicMotions"),
    "JapaneseVowels": lambda seed: archive("JapaneseVowels"),
    "Covid3Month": lambda seed: archive("Covid3Month"),
    "CardanoSentiment": lambda seed: archive("CardanoSentiment"),
    "OSULeaf": lambda seed: archive("OSULeaf"),
    "ACSF1": lambda seed: archive("ACSF1"),
}
REGRESSION = ("Covid3Month", "CardanoSentiment")
LONG = ("OSULeaf", "ACSF1")  # one seed is enough


def measured(name: str, seed: int) -> list[dict[str, Any]]:
    """Learn a set with each of the settings; a row each, the baseline's last."""
    data = SETS[name](seed)
    rows = [_learned(name, data, seed, how) for how in SETTINGS]
    return [row | {"set": name, "seed": seed, "examples": len(data.X)} for row in rows]


def _learned(name: str, data: SmallSet, seed: int, how: str) -> dict[str, Any]:
    kind = SequenceRegressor if name in REGRESSION else SequenceClassifier
    settings = SETTINGS[how] | (OF_NUMBERS if "epochs" in SETTINGS[how] and name in REGRESSION else {})
    started = time.process_time()
    model = kind(random_state=seed, **settings).fit(data.X, data.y)
    seconds = time.process_time() - started
    score = model.evaluate(data.tested, data.truth, training=(data.X, data.y))
    position = model.outcome_.position
    row: dict[str, Any] = {
        "settings": how,
        "updates": position.update,
        "ended by": model.outcome_.reason,
        "pooling": model.pooling_,
        "notes": model.notes_,
        "CPU seconds": round(seconds, 1),
        "model": dict(score.model),
        "baselines": {baseline: dict(figures) for baseline, figures in score.rows.items() if baseline != "model"},
    }
    if isinstance(model, SequenceClassifier):
        row["temperature"] = float(model.network_.temperature)
        model.network_.temperature.fill_(1.0)
        row["log loss without temperature"] = model.evaluate(data.tested, data.truth).model["log loss"]
    return row


def shown(row: dict[str, Any]) -> str:
    """Return a row as a line."""
    metric = "R2" if row["set"] in REGRESSION else "accuracy"
    best = max(figures[metric] for figures in row["baselines"].values())
    line = (
        f"{row['set']:17}{row['examples']:>4}  seed {row['seed']}  {row['settings']:26}{row['updates']:>5} updates  "
        f"{metric} {row['model'][metric]:6.3f} (baseline {best:6.3f})"
    )
    if "temperature" not in row:
        return line
    without, temperature = row["log loss without temperature"], row["temperature"]
    return f"{line}  log loss {without:.3f}, with temperature {temperature:.2f} {row['model']['log loss']:.3f}"


def main(asked: Sequence[str]) -> None:
    """Measure the named sets, or all; those that are not named stay in the file as they are."""
    unknown = [name for name in asked if name not in SETS]
    if unknown:
        raise SystemExit(f"there is no set {unknown[0]!r}; there are {', '.join(SETS)}")
    about = heading(settings=SETTINGS, of_numbers=OF_NUMBERS)
    for name in asked or SETS:
        found = []
        for seed in SEEDS[: 1 if name in LONG else None]:
            found += measured(name, seed)
            print(*map(shown, found[-len(SETTINGS) :]), sep="\n", flush=True)
        write_beside(RESULTS / "small_sets.json", about, "sets", name, {"rows": found})


if __name__ == "__main__":
    main(sys.argv[1:])
