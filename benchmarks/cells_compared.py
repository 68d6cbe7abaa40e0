"""Compare cells on jobs with a known answer: `python -m benchmarks.cells_compared`, into results/comparison/.

Delayed recall, the adding problem and copying, each cell with three seeds, and what each costs; and the memory length
that is found in trained models, beside the distance that it has to be. A file a job, in which each machine has its own
figures: times and the last digits of scores are a machine's. `--picture` draws the figure of the documentation from
what is there, and `--page` takes the picture of the page of delayed recall. Runs are kept in benchmarks/quick/comparison, so
that an interrupted command goes on; `--anew` forgets them. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import machine
from benchmarks.results import RESULTS, heading, read, write
from loopcell import cells
from loopcell.comparison import Comparison, OnProblem, compare
from loopcell.insight import memory_length

FOLDER = RESULTS / "comparison"
KEPT = RESULTS.parent / "quick" / "comparison"
IMAGES = RESULTS.parents[1] / "docs" / "images"
SEEDS = 3
GATED = ("rnn", "gru", "lstm", "min_gru")
JOBS: dict[str, tuple[OnProblem, tuple[str, ...]]] = {
    "recall": (OnProblem(name="recall", distances=(10, 20, 40, 80)), (*GATED, "indrnn")),
    "adding": (OnProblem(name="adding", distances=(50, 200), learning_rate=4e-3), GATED),
    "copying": (
        OnProblem(name="copying", distances=(10, 30), hidden_size=64, learning_rate=4e-3, updates=1500),
        ("rnn", "gru", "lstm"),
    ),
}
DELAYS = (5, 20, 80)
COLOURS = {"rnn": "#b34700", "gru": "#2f81c7", "lstm": "#00896c", "min_gru": "#8a56b5", "indrnn": "#7d8590"}
GREY, MARKS = "#7d8590", "osD^v"
LOOKED_AT = 64
"""Sequences over which the memory length is taken."""


def compared(name: str) -> Comparison:
    """Compare the cells of a job."""
    job, chosen = JOBS[name]
    return compare(job, chosen, seeds=SEEDS, folder=KEPT / name, progress=True)


def without_gradients(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON, with a few of its gradients: at the last distance, each eighth of the way back."""
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
    machines: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["machines"]
    return max(machines.values(), key=lambda found: str(found["day"]))


def picture(path: Path) -> None:
    """Draw the scores of every job over the distance, with the range of the seeds."""
    from matplotlib import pyplot as plt

    from loopcell.files import atomic_write

    grey = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY)
    style = {"svg.fonttype": "none", "svg.hashsalt": "loopcell", "font.size": 9, "legend.frameon": False}
    with plt.rc_context({**style, **grey, "axes.spines.top": False, "axes.spines.right": False}):
        figure, panels = plt.subplots(1, len(JOBS), figsize=(9.6, 3.2), layout="constrained")
        for panel, name in zip(panels, JOBS, strict=True):
            draw(panel, name, latest(name))
        panels[0].legend(loc="center left")
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None}, transparent=True)
        plt.close(figure)
    print(f"written: {path}")


def draw(panel: Any, name: str, found: dict[str, Any]) -> None:
    """Draw the scores of one job."""
    for place, cell in enumerate(found["cells"]):
        scores = [score for score in found["scores"] if score["cell"] == cell]
        at = [score["distance"] * (1 + 0.03 * (place - 2)) for score in scores]  # apart, so that each bar is seen
        means = [score["mean"] for score in scores]
        below = [score["mean"] - score["low"] for score in scores]
        above = [score["high"] - score["mean"] for score in scores]
        look = {"marker": MARKS[place], "markersize": 4, "capsize": 3, "color": COLOURS[cell], "label": cell}
        panel.errorbar(at, means, [below, above], **look)
    metric = found["runs"][0]["metric"]
    panel.set(title=name, xscale="log", xlabel="distance in steps", ylabel=metric)
    panel.set_yscale("log" if metric == "MSE" else "linear")
    panel.axhline(found["baselines"]["no memory"], linestyle=":", color=GREY)
    distances = sorted({score["distance"] for score in found["scores"]})
    panel.set_xticks(distances, [str(distance) for distance in distances])
    panel.minorticks_off()


def page_picture(path: Path) -> None:
    """Take the picture of the page of delayed recall, of its upper part, in Chromium."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = Path(folder) / "page.html"
        compared("recall").save(page)
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        opened = browser.new_page(viewport={"width": 1100, "height": 1500}, locale="en-GB", color_scheme="light")
        opened.goto(page.as_uri())
        opened.wait_for_selector(".chart svg")
        opened.screenshot(path=str(path))
        browser.close()
    print(f"written: {path}")


def main() -> None:
    """Measure, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", action="store_true", help="only draw docs/images/which-cell.svg")
    parser.add_argument("--page", action="store_true", help="only take docs/images/compare.png")
    parser.add_argument("--anew", action="store_true", help="forget the runs that were kept")
    typed = parser.parse_args()
    torch.set_num_threads(1)
    if typed.picture:
        picture(IMAGES / "which-cell.svg")
    elif typed.page:
        page_picture(IMAGES / "compare.png")
    else:
        measure(anew=typed.anew)


def measure(*, anew: bool) -> None:
    """Compare on every job, measure memory lengths, and write both."""
    if anew:
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
