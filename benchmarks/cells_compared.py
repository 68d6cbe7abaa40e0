"""Compare cells on jobs with a known answer: `python -m benchmarks.cells_compared`, into results/comparison/.

Delayed recall, the adding problem and copying, each cell with three seeds, and what each costs; and the memory length
that is found in trained models, beside the distance that it has to be. A file a job, in which each machine has its own
figures: times and the last digits of scores are a machine's. Runs are kept in benchmarks/quick/comparison, so that an
interrupted command goes on; `--anew` forgets them. About ten minutes on one core. `python -m benchmarks.cells_shown`
puts the figures into the documentation.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import UTC, datetime
from typing import Any

import torch

from benchmarks.machine import machine
from benchmarks.results import RESULTS, heading, read, write
from loopcell import cells
from loopcell.comparison import Comparison, OnProblem, compare
from loopcell.insight import memory_length

FOLDER = RESULTS / "comparison"
KEPT = RESULTS.parent / "quick" / "comparison"
SEEDS = 3
GATED = ("rnn", "gru", "lstm", "min_gru")
JOBS: dict[str, tuple[OnProblem, tuple[str, ...]]] = {
    "recall": (OnProblem(name="recall", distances=(10, 20, 40, 80)), (*GATED, "indrnn")),
    "adding": (OnProblem(name="adding", distances=(50, 200), learning_rate=4e-3), GATED),
    "copying": (
        OnProblem(name="copying", distances=(5, 20), hidden_size=64, learning_rate=4e-3, updates=1000),
        ("rnn", "gru", "lstm"),
    ),
}
DELAYS = (5, 20, 80)
LOOKED_AT = 64
"""Sequences over which the memory length is taken."""


def compared(name: str) -> Comparison:
    """Compare the cells of a job."""
    job, chosen = JOBS[name]
    return compare(job, chosen, seeds=SEEDS, folder=KEPT / name, progress=True)


def without_gradients(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON, with a few of its gradients: at the last distance, each eighth of the steps."""
    content = found.to_json()
    gradients = [
        {"cell": run["cell"], "seed": run["seed"], "when": when, "norms back": thinned(norms)}
        for run in content["runs"]
        for when, norms in run["gradient"].items()
        if run["distance"] == found.distances[-1] and norms
    ]
    runs = [
        {name: value for name, value in run.items() if name not in ("gradient", "shape")} for run in content["runs"]
    ]
    return {**content, "runs": runs, "gradients": gradients}


def thinned(norms: list[float]) -> dict[str, float]:
    """Return some norms by how many steps before the last one they are."""
    steps = [round(part * (len(norms) - 1) / 8) for part in range(9)]
    return {str(step): norms[step] for step in steps}


def memory_lengths() -> dict[str, Any]:
    """Train gated cells on delayed recall, and measure how far back they look: the distance, and no farther."""
    rows = []
    for delay in DELAYS:
        for name in ("gru", "lstm"):
            for seed in range(1, SEEDS + 1):
                horizon, largest = horizon_of(name, delay, seed)
                row = {"cell": name, "distance": delay, "seed": seed, "horizon": horizon, "largest effect": largest}
                rows.append(row)
                print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return {"rows": rows, "sequences": LOOKED_AT, "change": "shuffle", "share": 0.1}


def horizon_of(cell: str, delay: int, seed: int) -> tuple[int, int]:
    """Return the horizon of a trained model's answer, and the lag whose change has the largest effect on it."""
    job = OnProblem(name="recall", distances=(delay,))
    model = job.trained(cells.get(cell), seed, delay)
    x, _ = job.draw(LOOKED_AT, delay, (seed, -3))
    found = memory_length(lambda x: model(x)[-1].softmax(-1), x, lags=range(len(x)))
    return found.horizon, int(found.lags[found.effect.argmax()])


def keep(name: str, content: dict[str, Any], seconds: float) -> None:
    """Write what was found on this machine into the file of a job, beside that of other machines."""
    path = FOLDER / f"{name}.json"
    here = f"{machine()['processor']}, {machine()['cores']} cores"
    about = heading(
        command="python -m benchmarks.cells_compared",
        day=datetime.now(UTC).date().isoformat(),
        threads=torch.get_num_threads(),
        seconds=round(seconds, 1),
    )
    machines = read(path).get("machines", {})
    write(path, {"machines": {**machines, here: {**about, **content}}})
    print(f"written: {path}")


def latest(name: str) -> dict[str, Any]:
    """Return the figures of a job of the machine that was the last to measure them."""
    machines: dict[str, dict[str, Any]] = read(FOLDER / f"{name}.json")["machines"]
    return max(machines.values(), key=lambda found: str(found["day"]))


def main() -> None:
    """Compare on every job, measure memory lengths, and write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anew", action="store_true", help="forget the runs that were kept")
    torch.set_num_threads(1)
    if parser.parse_args().anew:
        shutil.rmtree(KEPT, ignore_errors=True)
    for name in JOBS:
        began = time.perf_counter()
        found = compared(name)
        print(found.table())
        keep(name, without_gradients(found), time.perf_counter() - began)
    began = time.perf_counter()
    keep("memory_length", memory_lengths(), time.perf_counter() - began)


if __name__ == "__main__":
    main()
