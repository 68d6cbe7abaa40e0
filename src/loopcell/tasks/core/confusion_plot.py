"""The confusion of labels as a picture, as scikit-learn's ConfusionMatrixDisplay draws it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.insight.plots import SEQUENTIAL, axes_on, brief, style

MOST_WRITTEN = 20  # labels whose numbers stand in the cells
MOST_LABELS = 60
CELL = 0.45  # inches


def plot_confusion(counts: npt.NDArray[np.int64], labels: Sequence[str], ax: Any, *, normalize: bool) -> Any:
    """Draw how often each true label (row) was given as each label (column).

    Args:
        counts: [K, K].
        labels: K.
        ax: matplotlib Axes; None makes a figure.
        normalize: show the share of each row.
    """
    rows = counts.sum(1, keepdims=True)
    values = counts / np.maximum(rows, 1) if normalize else counts
    with style():
        side = 2.2 + CELL * min(len(labels), MOST_WRITTEN)
        ax = axes_on(ax, side + 0.9, side)
        image = ax.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1 if normalize else None)
        if len(labels) <= MOST_WRITTEN:
            _write(ax, values, normalize=normalize)
        if len(labels) <= MOST_LABELS:
            names, longest = [brief(label, 24) for label in labels], max(map(len, labels))
            ax.set_xticks(range(len(names)), names, rotation=90 * (longest > 3), parse_math=False)
            ax.set_yticks(range(len(names)), names, parse_math=False)
        ax.set_xlabel("given")
        ax.set_ylabel("true")
        ax.figure.colorbar(image, ax=ax, label="share of the row" if normalize else "count")
    return ax


def _write(ax: Any, values: npt.NDArray[Any], *, normalize: bool) -> None:
    """Write each number into its cell, dark on light and light on dark."""
    middle = values.max(initial=0) / 2
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > middle else "white"
        text = f"{value:.2f}" if normalize else f"{value:,}"
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
