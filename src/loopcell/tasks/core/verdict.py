"""A model's figures beside those of its baselines: which are better, and how they stand in a table. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

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
DOUBT = 2.0  # standard errors: a difference below is one that other examples might turn around
MARGIN = 0.01  # of the larger figure: the same, of metrics whose noise is not known
LARGE = 1e7
NARROW = 8  # letters of a column, at least


@dataclass(frozen=True)
class Verdict:
    """A model beside its best baseline, by the first metric that both have.

    Attributes:
        beaten: whether the model is better, by more than chance.
        sentence: says so, with the figures.
        improvable: whether another run is worth a try: not where both are never off, nor where the model's figure is
            the better one, and more held-out examples are what is lacking.
        metric: by which they are held against each other.
        best: the name of the best baseline.
        alike: whether the two are as far apart as they may be by chance.
    """

    beaten: bool
    sentence: str
    improvable: bool = True
    metric: str = ""
    best: str = ""
    alike: bool = False


Rows = Mapping[str, Mapping[str, float]]


def verdict_of(rows: Rows, noise: Rows = MappingProxyType({})) -> Verdict | None:
    """Say whether the model beats its best baseline, by the first metric that both have; None where there is none.

    What lies within two standard errors of the difference cannot be told apart; nor can, where these are not known,
    what lies within 1% of the larger figure.

    Args:
        rows: figures by name, of the model under `MODEL` and of the baselines.
        noise: by baseline and metric, the standard error of its difference to the model.
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
            alike = _alike(own, known[best], noise.get(best, {}).get(metric))
            better = sign * own > sign * known[best]
            how = "cannot be told apart from" if alike else "is better than" if better else "is no better than"
            figures = f"{metric} {number(own)} against {number(known[best])}{alike}"
            sentence = f"the model {how} its best baseline, {best}: {figures}"
            improvable = not (alike and better)
            return Verdict(better and not alike, sentence, improvable, metric=metric, best=best, alike=bool(alike))
    return None


def _alike(own: float, other: float, error: float | None) -> str:
    """Say within what two figures are alike; "" where they are not."""
    apart = abs(own - other)
    if error is not None:
        return f" (two standard errors of the difference are {number(DOUBT * error)})" * (apart <= DOUBT * error)
    return f" (less than {MARGIN:.0%} apart)" * (apart < MARGIN * max(abs(own), abs(other)))


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
