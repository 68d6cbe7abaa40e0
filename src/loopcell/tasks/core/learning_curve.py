"""The curve of a training as a picture: the losses over the updates, with the best held-out one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import pairwise
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

    The training loss of rows of few updates is merged with that of their neighbour (`evened`).

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
            points = _points(rows, name)
            if points:
                ax.plot(*zip(*points, strict=True), color=colour, label=label, marker="." if len(points) < 40 else "")
        _mark_best(ax, rows)
        ax.set_xlabel("update")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylabel("loss")
        ax.legend(fontsize=8)
    return ax


def evened(updates: Sequence[float], losses: Sequence[float | None]) -> list[float | None]:
    """Merge the training loss of rows of few updates with their neighbour, so that they are no spikes.

    A row's loss is the mean since the row before; where a pass ends just after a row, that is the mean of one or two
    batches. A row of less than half the usual interval is merged with the one before, or the first with the next.

    Args:
        updates: at which a row was written, rising, [R].
        losses: the mean of the updates since the row before, [R]; None where there is none.

    Returns:
        The means weighted by the updates, [R], each at the last row of those merged; None at the others.
    """
    spans = [now - before for before, now in pairwise((0.0, *updates))]
    usual = _usual(spans)
    found: list[float | None] = [None] * len(losses)
    total = weight = 0.0
    last: int | None = None
    for at, (span, loss) in enumerate(zip(spans, losses, strict=True)):
        if loss is None:
            continue
        if last is not None and (min(span, weight) < usual / 2):
            total, weight, found[last] = total + span * loss, weight + span, None
        else:
            total, weight = span * loss, span
        last, found[at] = at, total / weight if weight else loss
    return found


def _usual(spans: Sequence[float]) -> float:
    """Return the interval that an update usually lies in: the median, by the number of updates."""
    half, passed = sum(spans) / 2, 0.0
    for span in sorted(spans):
        passed += span
        if passed >= half:
            return span
    return 0.0


def _points(rows: Rows, name: str) -> list[tuple[float, float]]:
    """Return the points of a curve: updates and losses."""
    updates, losses = [row["update"] for row in rows], [row.get(name) for row in rows]
    if name == "train_loss":
        losses = evened(updates, losses)
    return [(update, loss) for update, loss in zip(updates, losses, strict=True) if loss is not None]


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
