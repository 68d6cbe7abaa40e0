"""An inspection as a picture for papers: a heat map for each quantity of each layer, drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcell.errors import UsageError

if TYPE_CHECKING:
    from loopcell.insight.inspection import Inspection

ROW = 1.3  # inches of a heat map
WIDTH = 10.0
MOST_LABELS = 80
MOST_ROWS = 60  # heat maps of one picture


def draw(seen: Inspection, path: Path, form: str) -> None:
    """Write a picture of an inspection.

    Args:
        seen: what is drawn.
        path: the file.
        form: png or svg.

    Raises:
        UsageError: matplotlib is missing (`pip install loopcell[pictures]`), or there are more heat maps than a picture
            has room for.
    """
    figure = figure_of(seen)
    # A fixed seed for the ids of SVG, so that the same inspection gives the same file.
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "loopcell"}):
        figure.savefig(path, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)


def figure_of(seen: Inspection) -> Any:
    """Return the matplotlib Figure of an inspection; errors as `draw`."""
    try:
        from matplotlib.figure import Figure  # without pyplot: no window, no global state
    except ImportError:
        raise UsageError("pictures need matplotlib: pip install loopcell[pictures]") from None
    rows = [(layer, name, value) for layer in seen.layers for name, value in layer.quantities.items()]
    if len(rows) > MOST_ROWS:
        raise UsageError(f"a picture has room for {MOST_ROWS} heat maps, and there are {len(rows)}: choose a layer")
    figure = Figure(figsize=(WIDTH, ROW * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (layer, name, value) in zip(axes, rows, strict=True):
        gate = layer.is_gate(name)
        most = float(np.nanmax(np.abs(value), initial=0.0)) or 1.0
        low, high = (0.0, 1.0) if gate else (-most, most)
        image = axis.imshow(value.T, aspect="auto", cmap="cividis" if gate else "PuOr_r", vmin=low, vmax=high)
        axis.set_ylabel(f"{name}\n{layer.name.rpartition(', layer ')[2]}", fontsize=8)
        axis.set_yticks([])
        figure.colorbar(image, ax=axis, pad=0.01)
    _label_steps(axes[-1], seen)
    figure.suptitle(seen.title, fontsize=10)
    return figure


def _label_steps(axis: Any, seen: Inspection) -> None:
    """Write what stands at the steps, or their numbers where there are too many."""
    if len(seen.steps) <= MOST_LABELS:
        labels = [str(step).replace("\n", "⏎").replace("$", r"\$") for step in seen.steps]
        axis.set_xticks(range(len(labels)), labels, fontsize=7)
    else:
        axis.set_xlabel("step", fontsize=8)
