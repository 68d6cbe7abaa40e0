"""The page of a comparison: one HTML file with its facts, its script and its style inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loopcell.comparison.results import ComparedRun, Comparison
from loopcell.equations import Cell
from loopcell.insight.html_document import document


def page_of(found: Comparison) -> str:
    """Return the page of a comparison."""
    title = f"{found.job}: {', '.join(cell.name for cell in found.cells)}"
    facts = {
        "title": title,
        "job": found.job,
        "data": found.data,
        "metric": found.metric,
        "larger": found.larger_is_better,
        "budget": found.budget,
        "solved": found.solved,
        "baselines": [[name, _plain(score)] for name, score in found.baselines.items()],
        "distances": found.distances,
        "cells": [_cell(cell, found) for cell in found.cells],
        "scores": [_scores(asdict(score)) for score in found.scores()],
        "gradients": [
            {"distance": distance, "cell": cell.name, "when": when, **flow}
            for distance in found.places
            for cell in found.cells
            for when in ("start", "end")
            if (flow := _flow([run for run in found.runs if (run.cell, run.distance) == (cell.name, distance)], when))
        ],
        "settings": [[name, str(value)] for name, value in found.settings.items()],
        "notes": [
            {"cell": run.cell, "seed": run.seed, "distance": run.distance, "note": run.note}
            for run in found.runs
            if run.note
        ],
    }
    return document(title, "compare", facts)


def _cell(cell: Cell, found: Comparison) -> dict[str, Any]:
    cost = next((asdict(cost) for cost in found.costs if cost.cell == cell.name), {})
    start = next((run.start for run in found.runs if run.cell == cell.name), "")
    reaches = found.farthest(cell.name) if found.distances else []
    return {"name": cell.name, "equations": cell.mathml(), "start": start, "reaches": reaches, "cost": cost}


def _flow(runs: Sequence[ComparedRun], when: str) -> dict[str, Any]:
    """Return the geometric mean over seeds of the norms, as a share of that at the last step, as far as all go.

    A run that diverged has no gradient that arrives: the mean is that of `counted` runs of all the `seeds`.
    """
    each = [run.gradient.get(when, ()) for run in runs]
    each = [norms for norms in each if norms and 0 < norms[0] < math.inf]
    if not each:
        return {}
    shares = [_mean([norms[step] / norms[0] for norms in each]) for step in range(min(map(len, each)))]
    return {"norms": shares, "counted": len(each), "seeds": len(runs)}


def _mean(shares: Sequence[float]) -> float | None:
    """Return the geometric mean; None where one is 0 or no number, which has no place on a logarithmic axis."""
    if not all(share > 0 and math.isfinite(share) for share in shares):
        return None
    return _plain(math.exp(sum(map(math.log, shares)) / len(shares)))


def _scores(score: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, float) else value for name, value in score.items()}


def _plain(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
