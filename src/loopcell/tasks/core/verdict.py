"""A model's figures beside those of its baselines: which are better, and how they stand in a table. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MODEL = "model"
UNLABELLED = (
    "nobody knows yet whether the model beats a baseline: that takes held-out steps of both kinds, and a column that "
    "says which are anomalous (--anomalies of `loopcell train anomaly`)"
)
UNKNOWN = "nothing was held out, so nobody knows yet whether the model beats a baseline: `loopcell eval` says it"
# Metrics of which less is better.
LOSSES = (
    "log loss", "NLL/step", "MSE", "RMSE", "MAE", "pinball", "scaled MSE", "scaled MAE", "MASE", "quantile loss",
    "WQL", "CRPS", "perplexity", "bits/char", "bits/byte",
)  # fmt: skip
ERRORS = ("MSE", "RMSE", "MAE", "scaled MSE", "scaled MAE")  # of which 0 is the least
# What says of no model that it is better: parts of a metric, what depends on a threshold, and shares that are good
# neither high nor low. Detectors of anomalies are held against each other by average precision, as their `score` does.
UNJUDGED = ("precision", "recall", "F1", "noticed", "alarms", "mean score")
LARGE = 1e7
NARROW = 8  # letters of a column, at least


@dataclass(frozen=True)
class Verdict:
    """A model beside its best baseline, by the first metric that both have.

    Attributes:
        beaten: whether the model is better.
        sentence: says so, with the figures.
        improvable: whether another run might do better: not where both are never off.
        metric: by which they are held against each other.
        best: the name of the best baseline.
    """

    beaten: bool
    sentence: str
    improvable: bool = True
    metric: str = ""
    best: str = ""


def verdict_of(rows: Mapping[str, Mapping[str, float]]) -> Verdict | None:
    """Say whether the model beats its best baseline, by the first metric that both have; None where there is none.

    Args:
        rows: figures by name, of the model under `MODEL` and of the baselines.
    """
    for metric in (name for name in rows[MODEL] if name not in UNJUDGED):
        own = rows[MODEL][metric]
        sign = -1.0 if metric in LOSSES else 1.0
        baselines = {name: row.get(metric, math.nan) for name, row in rows.items() if name != MODEL}
        known = {name: value for name, value in baselines.items() if math.isfinite(value)}
        if known:
            best = max(known, key=lambda name: sign * known[name])
            if metric in ERRORS and own == known[best] == 0:
                sentence = f"neither the model nor its best baseline, {best}, is ever off"
                return Verdict(False, sentence, improvable=False, metric=metric, best=best)
            beaten = sign * own > sign * known[best]
            how = "better than" if beaten else "no better than"
            figures = f"{metric} {number(own)} against {number(known[best])}"
            return Verdict(beaten, f"the model is {how} its best baseline, {best}: {figures}", metric=metric, best=best)
    return None


def headline(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return the first metric by which the model and a baseline are held against each other; else the model's first.

    Args:
        rows: as of `verdict_of`.
    """
    judged = [name for name in rows[MODEL] if name not in UNJUDGED]
    shared = (name for name in judged if any(name in row for other, row in rows.items() if other != MODEL))
    return next(shared, next(iter(rows[MODEL])))


def aligned(head: Sequence[str], rows: Mapping[str, Sequence[str]], narrow: int = NARROW) -> list[str]:
    """Rows of cells under a head, each column as wide as its widest cell, with two blanks before it.

    Args:
        head: the columns' names.
        rows: the cells of each row, by its name.
        narrow: the least width of a column.
    """
    first = max(map(len, rows)) + 2
    widths = [max(narrow, *map(len, column)) + 2 for column in zip(head, *rows.values(), strict=True)]

    def line(name: str, cells: Sequence[str]) -> str:
        return f"{name:{first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))

    return [line("", head), *(line(name, cells).rstrip() for name, cells in rows.items())]


def number(value: float | None) -> str:
    """Four decimals, or five digits of a number that is large."""
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < LARGE or not math.isfinite(value) else f"{value:.4e}"
