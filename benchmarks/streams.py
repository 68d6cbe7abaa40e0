"""Measure what a row of a live stream costs: `python -m benchmarks.streams`, into streams.json.

For each estimator with its usual sizes: a model is trained for a pass (its weights do not change what a row costs),
some rows are held against what the model says of them at once, and then every `stream.step` is timed, a row in and the
result out, on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import AnomalyDetector, Forecaster, LanguageModel, SequenceTagger

CHECKED, WARM, TIMED = 300, 200, 2000
TOLERANCE = 1e-4
QUICK: dict[str, Any] = {"epochs": 1, "random_state": 1, "device": "cpu"}
TEXT = "the cat sat on the mat. the dog ate the cat.\n"
Floats = Any


class Case(NamedTuple):
    """One estimator.

    Attributes:
        fit: trains it.
        rows: yields rows without end.
        numbers: what is compared of a result.
        at_once: the same of some rows, by the estimator's other methods.
    """

    fit: Callable[[], Any]
    rows: Callable[[], Iterator[Any]]
    numbers: Callable[[Any], Floats]
    at_once: Callable[[Any, list[Any]], Floats]


def waves(columns: int) -> Floats:
    """Return a rhythm with noise, [T, K]."""
    steps = np.arange(3000)[:, None] + np.arange(columns)
    return np.sin(steps / 4) + np.random.default_rng(0).normal(0, 0.1, steps.shape)


def again(values: Any) -> Iterator[Any]:
    """Yield values over and over."""
    while True:
        yield from values


def tagged() -> SequenceTagger:
    """Train a tagger of 6 numbers a step."""
    X = [np.random.default_rng(seed).normal(size=(100, 6)) for seed in range(20)]
    return SequenceTagger(**QUICK).fit(X, [(x[:, 0].cumsum() > 0).astype(int) for x in X])


def written() -> LanguageModel:
    """Train a language model of characters."""
    return LanguageModel(**QUICK).fit(TEXT * 100)


def forecast_numbers(found: Any) -> Floats:
    """Return the mean and the quantiles of a forecast."""
    return np.concatenate([found.mean.ravel(), found.quantiles.ravel()])


def forecasts(columns: int, **settings: Any) -> Case:
    """Return the case of a forecaster."""
    data = waves(columns)
    return Case(
        lambda: Forecaster(**QUICK, **settings).fit(data[:1000]),
        lambda: again(data),
        forecast_numbers,
        lambda model, rows: forecast_numbers(model.predict(np.array(rows))[0]),
    )


CASES = {
    "tagger, 6 numbers": Case(
        tagged, lambda: again(waves(6)), lambda found: found.probabilities,
        lambda model, rows: model.predict_proba([np.array(rows)])[0][-1],
    ),
    "language model, characters": Case(
        written, lambda: again(TEXT), lambda found: found.probabilities,
        lambda model, rows: model.predict_proba(["".join(rows)])[0],
    ),
    "anomaly detector, 2 targets": Case(
        lambda: AnomalyDetector(**QUICK).fit(waves(2)[:1000]), lambda: again(waves(2)), lambda found: [found.score],
        lambda model, rows: model.score_samples(np.array(rows))[0][-1:],
    ),
    "forecaster, 24 steps": forecasts(1),
    "forecaster, 7 targets, 24 steps": forecasts(7),
    "forecaster, 7 targets, 96 steps, segments": forecasts(7, horizon=96, segment=24, history=96),
    "forecaster, a roll-out of 24 steps": forecasts(1, roll_out=True, head="mean"),
}  # fmt: skip


def measured(name: str, case: Case) -> dict[str, Any]:
    """Check a stream against what is said at once, and time its steps."""
    model, source = case.fit(), case.rows()
    rows = [next(source) for _ in range(CHECKED)]
    with model.stream() as stream:
        found = [stream.step(row) for row in rows][-1]
        error = float(np.max(np.abs(np.asarray(case.numbers(found)) - case.at_once(model, rows))))
        if not error < TOLERANCE:
            raise SystemExit(f"{name}: row by row is {error:g} from what it is at once")
        seconds = []
        for row in (next(source) for _ in range(WARM + TIMED)):
            began = time.perf_counter()
            stream.step(row)
            seconds.append(time.perf_counter() - began)
    timed = 1e6 * np.array(seconds[WARM:])
    figures = {f"p{share}": round(float(np.percentile(timed, share)), 1) for share in (50, 90, 99)}
    return {"estimator": name, "unit": "us", "rows": TIMED, **figures, "error": error}


def main() -> None:
    """Measure every case and write the file."""
    torch.set_num_threads(1)
    rows = []
    for name, case in CASES.items():
        rows.append(measured(name, case))
        print(f"{name:45s} p50 {rows[-1]['p50']:8.1f} us   p99 {rows[-1]['p99']:8.1f} us", flush=True)
    SuiteFile(RESULTS / "streams.json", heading()).add("streams", rows)


if __name__ == "__main__":
    main()
