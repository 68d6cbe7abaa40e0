"""An inspection as a picture for papers: a heat map for each quantity of each layer, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.insight.plots import DIVERGING, SEQUENTIAL, brief, demand_matplotlib, style

if TYPE_CHECKING:
    from loopcell.insight.inspection import Inspection

ROW = 1.3  # inches of a heat map
WIDTH = 10.0
MOST_LABELS = 80
MOST_SOURCES = 24  # labels beside attention
FITTING = 130  # characters side by side below a picture
MOST_ROWS = 60  # heat maps of one picture


class _HeatMap(NamedTuple):
    """One heat map: its name, numbers [T, n], colours and labels; and of the last one of a part the steps below it."""

    name: str
    values: npt.NDArray[Any]
    limits: tuple[float, float]
    colours: str
    labels: list[str]
    seen: Inspection
    last: bool


def draw(seen: Inspection, path: Path, form: str) -> None:
    """Write a picture of an inspection.

    Args:
        seen: what is drawn.
        path: the file.
        form: png or svg.

    Raises:
        MissingExtraError: matplotlib is missing (`pip install "loopcell[pictures]"`).
        UsageError: there are more heat maps than a picture has room for.
    """
    with style():
        figure = figure_of(seen)
        figure.savefig(path, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)


def figure_of(seen: Inspection) -> Any:
    """Return the matplotlib Figure of an inspection; errors as `draw`."""
    demand_matplotlib()
    from matplotlib.figure import Figure  # without pyplot: no window, no global state

    rows = [row for one in seen.parts.values() for row in _rows(one)]
    if len(rows) > MOST_ROWS:
        raise UsageError(f"a picture has room for {MOST_ROWS} heat maps, and there are {len(rows)}: choose a layer")
    figure = Figure(figsize=(WIDTH, ROW * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, row in zip(axes, rows, strict=True):
        low, high = row.limits
        image = axis.imshow(row.values.T, aspect="auto", cmap=row.colours, vmin=low, vmax=high)
        axis.set_ylabel(row.name, fontsize=8, parse_math=False)
        axis.set_yticks(range(len(row.labels)), row.labels, fontsize=6, parse_math=False)
        figure.colorbar(image, ax=axis, pad=0.01)
        _label_steps(axis, row.seen) if row.last else axis.tick_params(labelbottom=False)
    figure.suptitle(brief(seen.title, 80), fontsize=10, parse_math=False)
    return figure


def _rows(seen: Inspection) -> Iterator[_HeatMap]:
    """Yield the heat maps of a part of the model; attention is the last one, over the same steps."""
    there = [(layer, name, value) for layer in seen.layers for name, value in layer.quantities.items()]
    for number, (layer, name, value) in enumerate(there, start=1):
        gate = layer.is_gate(name)
        most = float(np.abs(value[np.isfinite(value)]).max(initial=0.0)) or 1.0
        limits, colours = ((0.0, 1.0), SEQUENTIAL) if gate else ((-most, most), DIVERGING)
        last = number == len(there) and seen.attention is None
        place = " ".join(filter(None, (seen.part, brief(layer.name.rpartition(", layer ")[2]))))
        yield _HeatMap(f"{name}\n{place}", value, limits, colours, [], seen, last)
    found = seen.attention
    if found is not None:
        labels = [brief(step) for step in found.source] if len(found.source) <= MOST_SOURCES else []
        most = float(found.weights.max(initial=0.0)) or 1.0
        yield _HeatMap("attention", found.weights, (0.0, most), SEQUENTIAL, labels, seen, last=True)


def _label_steps(axis: Any, seen: Inspection) -> None:
    """Write what stands at the steps, or their numbers where there are too many."""
    if len(seen.steps) <= MOST_LABELS:
        labels = [brief(step) for step in seen.steps]
        crowded = len(labels) * max(map(len, labels)) > FITTING
        axis.set_xticks(range(len(labels)), labels, fontsize=7, parse_math=False, rotation=90 * crowded)
    else:
        axis.set_xlabel("step", fontsize=8)
