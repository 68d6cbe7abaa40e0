"""The curve of a training as a picture: the losses over the updates, with the best held-out one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from loopcell.errors import FileFormatError, UsageError
from loopcell.insight.plots import BLUE, GREY, RED, axes_on, style
from loopcell.training.run_folder import RunFolder

DRAWN = ("update", "train_loss", "validation_loss")
Rows = Sequence[Mapping[str, Any]]


def plot_history(history: Rows | str | PathLike[str], ax: Any = None) -> Any:
    """Draw the losses of a training over its updates, and mark the lowest one on held-out data.

    Args:
        history: `history_` of an estimator, or the folder of a run, which may still be going on.
        ax: matplotlib Axes; None makes a figure, without pyplot: `plot_history(model.history_).figure`.

    Returns:
        The Axes.

    Raises:
        MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
        UsageError: there is no row, or the path is not the folder of a run.
        FileFormatError: the folder's curve is damaged.
    """
    rows = _rows_of(Path(history)) if isinstance(history, str | PathLike) else history
    if not rows:
        raise UsageError("nothing to draw: the history has no row; train for at least one pass")
    with style():
        ax = axes_on(ax)
        for name, label, colour in (("train_loss", "training", GREY), ("validation_loss", "held out", BLUE)):
            points = [(row["update"], row[name]) for row in rows if row.get(name) is not None]
            if points:
                ax.plot(*zip(*points, strict=True), color=colour, label=label, marker="." if len(points) < 40 else "")
        _mark_best(ax, rows)
        ax.set_xlabel("update")
        ax.set_ylabel("loss")
        ax.legend(fontsize=8)
    return ax


def _mark_best(ax: Any, rows: Rows) -> None:
    """Mark the lowest held-out loss, whose weights a model has."""
    held_out = [(row["validation_loss"], row["update"]) for row in rows if row.get("validation_loss") is not None]
    if held_out:
        loss, update = min(held_out)
        ax.plot(update, loss, "o", color=RED, markerfacecolor="none", label=f"best: {loss:.4g}")


def _rows_of(path: Path) -> list[dict[str, float | None]]:
    """Return the rows of a run's metrics."""
    file = RunFolder(path).metrics
    if not file.is_file():
        raise UsageError(f"{path} is not the folder of a run with a curve: it has no {file.name}")
    with file.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines))
    try:
        return [{name: float(row[name]) if row.get(name) else None for name in DRAWN} for row in found]
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{file} is damaged: a cell is no number") from error
