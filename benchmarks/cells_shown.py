"""Put the comparison of cells into the documentation: `python -m benchmarks.cells_shown`.

The tables of `docs/concepts/which-cell.md` in both languages and its picture come from results/comparison/ alone.
With `--page` the picture of the page of delayed recall is taken too, in Chromium, of the runs that
`benchmarks.cells_compared` kept.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cells_compared import JOBS, compared, latest
from benchmarks.report import insert
from benchmarks.results import RESULTS
from loopcell.comparison.results import as_range
from loopcell.files import atomic_write

DOCS = RESULTS.parents[1] / "docs"
PICTURE, PAGE = DOCS / "images" / "which-cell.svg", DOCS / "images" / "compare.png"
COLOURS = {"rnn": "#b34700", "gru": "#2f81c7", "lstm": "#00896c", "min_gru": "#8a56b5", "indrnn": "#7d8590"}
BACK = "75"
"""The step nearest to the mark, 80 before the last one, of those of which the results keep the gradient."""
GREY, MARKS = "#7d8590", "osD^v"
WORDS = {
    "which-cell.md": {
        "cell": "cell", "reaches": "solved up to, by seed", "none": "none", "parameters": "parameters",
        "training": "training pass", "forward": "forward pass", "saved": "saved for backward",
        "distance": "distance k", "horizon": "horizon found, by seed",
        "start": "before training", "end": "after training",
    },
    "which-cell.ko.md": {
        "cell": "셀", "reaches": "시드별로 해결한 거리", "none": "없음", "parameters": "파라미터",
        "training": "학습 한 번", "forward": "순전파", "saved": "역전파용 저장",
        "distance": "거리 k", "horizon": "시드별로 찾은 지평",
        "start": "학습 전", "end": "학습 후",
    },
}  # fmt: skip


def scores(name: str, words: dict[str, str]) -> str:
    """Return the scores of a job as Markdown: the mean of the seeds, and the range where they differ."""
    found = latest(name)
    distances = sorted({score["distance"] for score in found["scores"]})
    rows = []
    for cell in found["cells"]:
        by = {score["distance"]: score for score in found["scores"] if score["cell"] == cell}
        reached = found["reaches"][cell]
        rows.append(
            [
                cell,
                *(shown(by[distance]) for distance in distances),
                as_range(reached) if any(reached) else words["none"],
            ]
        )
    return table([words["cell"], *map(str, distances), words["reaches"]], rows)


def shown(score: dict[str, Any]) -> str:
    """Return a score and its range."""
    mean, low, high = (
        f"{score[name]:.2f}" if score["mean"] > 0.2 else f"{score[name]:.3f}" for name in ("mean", "low", "high")
    )
    return mean if low == high else f"{mean} ({low} – {high})"


def costs(words: dict[str, str]) -> str:
    """Return the costs of the cells on delayed recall, and how many times those of the first cell."""
    found = latest("recall")["costs"]
    first = found[0]

    def times(cost: dict[str, Any], name: str) -> str:
        return f"{cost[name] / first[name]:.1f}×"

    rows = [
        [
            cost["cell"],
            f"{cost['parameters']:,} ({times(cost, 'parameters')})",
            f"{cost['training_ms']:.2f} ms ({times(cost, 'training_ms')})",
            f"{cost['forward_ms']:.2f} ms ({times(cost, 'forward_ms')})",
            f"{cost['saved_bytes'] / 1e6:.2f} MB ({times(cost, 'saved_bytes')})",
        ]
        for cost in found
    ]
    return table([words[name] for name in ("cell", "parameters", "training", "forward", "saved")], rows)


def gradients(words: dict[str, str]) -> str:
    """Return how much of the gradient is left `BACK` steps back on delayed recall: the geometric mean of the seeds."""
    found = latest("recall")
    rows = []
    for cell in found["cells"]:
        row = [cell]
        for when in ("start", "end"):
            each = [one["norms back"] for one in found["gradients"] if (one["cell"], one["when"]) == (cell, when)]
            shares = [norms[BACK] / norms["0"] for norms in each]
            row.append(share(math.prod(shares) ** (1 / len(shares))))
        rows.append(row)
    return table([words["cell"], words["start"], words["end"]], rows)


def share(value: float) -> str:
    """Return a share with one digit: 0.5, 1e-4, 0."""
    return f"{value:.1g}" if value >= 1e-2 or not value else f"{value:.0e}".replace("e-0", "e-")


def memory(words: dict[str, str]) -> str:
    """Return the horizons that were found in trained models."""
    found = latest("memory_length")["rows"]
    places = dict.fromkeys((row["cell"], row["distance"]) for row in found)
    rows = [
        [
            cell,
            str(distance),
            ", ".join(str(row["horizon"]) for row in found if (row["cell"], row["distance"]) == (cell, distance)),
        ]
        for cell, distance in places
    ]
    return table([words["cell"], words["distance"], words["horizon"]], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(page: str) -> dict[str, str]:
    """Return the tables of a page, by the names of their places."""
    words = WORDS[page]
    return {
        **{name: scores(name, words) for name in JOBS},
        "costs": costs(words),
        "gradients": gradients(words),
        "memory": memory(words),
    }


def picture(path: Path) -> None:
    """Draw the scores of every job over the distance, with the range of the seeds."""
    from matplotlib import pyplot as plt

    grey = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY)
    style: Any = {**grey, "svg.fonttype": "none", "svg.hashsalt": "loopcell", "font.size": 9, "legend.frameon": False}
    with plt.rc_context({**style, "axes.spines.top": False, "axes.spines.right": False}):
        figure, panels = plt.subplots(1, len(JOBS), figsize=(9.6, 3.5), layout="constrained")
        for panel, name in zip(panels, JOBS, strict=True):
            draw(panel, name, latest(name))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS))
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None}, transparent=True)
        plt.close(figure)


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
        opened = browser.new_page(viewport={"width": 1130, "height": 1690}, locale="en-GB", color_scheme="light")
        opened.goto(page.as_uri())
        opened.wait_for_selector(".chart svg")
        opened.screenshot(path=str(path))
        browser.close()


def main() -> None:
    """Write the tables and the pictures."""
    for page in WORDS:
        for name, text in tables(page).items():
            insert(DOCS / "concepts" / page, name, text)
    picture(PICTURE)
    if "--page" in sys.argv[1:]:
        page_picture(PAGE)


if __name__ == "__main__":
    main()
