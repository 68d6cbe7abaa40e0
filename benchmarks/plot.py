"""The plot of the grid: how many times faster than each peer, by cell, job and size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.grid import CELLS, SHAPES, Shape
from benchmarks.suites.part import Row
from loopcell.files import atomic_write

JOBS = ("forward", "training")
MARKS = {"torch.nn": ("o", "#1f6f8b"), "JAX": ("^", "#c26a2e"), "ONNX Runtime": ("s", "#7a5195")}
THREADS = 1


def draw(grid: Sequence[Row], path: Path) -> None:
    """Draw everybody's time over ours, with one thread, on a logarithmic axis; right of the line we are faster."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        len(JOBS), len(CELLS), figsize=(11, 7.5), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    labels = [str(sizes).replace(",", ", ") for sizes in SHAPES]
    for job, line in zip(JOBS, panels, strict=True):
        for cell, axes in zip(CELLS, line, strict=True):
            for peer, (mark, colour) in MARKS.items():
                found = points(grid, cell, job, peer)
                axes.plot(*zip(*found, strict=True) if found else ((), ()), mark, color=colour, label=peer, alpha=0.8)
            axes.axvline(1, color="black", linewidth=1)
            axes.set(title=f"{cell}, {job}", xscale="log", yticks=range(len(SHAPES)), yticklabels=labels)
            axes.grid(alpha=0.3, which="both", axis="x")
    panels[0][0].invert_yaxis()
    panels[0][0].legend(fontsize=8)
    figure.supxlabel("their time over loopcell's (fp32, one thread)")
    figure.supylabel("T, B, I, H")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def points(grid: Sequence[Row], cell: str, job: str, peer: str) -> list[tuple[float, int]]:
    """Return ratio and place of every size that has one."""
    chosen = (row for row in grid if (row["cell"], row["job"], row["threads"]) == (cell, job, THREADS))
    ratios = {Shape(*(row[axis] for axis in "TBIH")): row["ratios"].get(peer) for row in chosen}
    return [(ratios[sizes]["median"], place) for place, sizes in enumerate(SHAPES) if ratios.get(sizes)]
