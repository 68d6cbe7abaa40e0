"""The page of a run: one HTML file with its curves, its script and its style inside."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loopcell.insight.html_document import document
from loopcell.tasks.core.learning_curve import evened
from loopcell.tasks.core.run_record import RunRecord
from loopcell.tasks.core.verdict import MODEL, number, verdict_of
from loopcell.training.watched import LayerLook

MOST_POINTS = 4_000
"""Rows of a curve that a page shows; of more, every second, third, ... and the last."""


def page_of(record: RunRecord) -> str:
    """Return the page of a run."""
    curves = _evened(record.curves)
    kept = _rows_shown(curves)
    facts = {
        "title": record.name,
        "task": record.task,
        "cell": record.cell,
        "failure": record.failure,
        "failedAt": record.failed_at,
        "curves": {name: _plain(values[at] for at in kept) for name, values in curves.items()},
        "missing": list(record.missing),
        "layers": _layers(record.looks),
        "scores": {name: {key: _number(value) for key, value in row.items()} for name, row in record.scores.items()},
        "scored": record.scored,
        "verdict": _verdict(record.scores, record.noise),
        "machine": {name: str(value) for name, value in record.machine.items()},
        "parameters": dict(record.parameters),
        "files": dict(record.files),
        "settings": _settings(record),
        "clip": record.settings.get("clip"),
        "samples": list(record.samples),
    }
    return document(record.name, "run", facts)


def _evened(curves: Mapping[str, Sequence[float | None]]) -> dict[str, Sequence[float | None]]:
    """Return the curves, with the training loss of rows of few updates merged with that of their neighbour."""
    updates, losses = curves["update"], curves.get("train_loss")
    if losses is None:
        return dict(curves)
    return {**curves, "train_loss": evened([update or 0.0 for update in updates], losses)}


def _rows_shown(curves: Mapping[str, Sequence[float | None]]) -> list[int]:
    """Return the numbers of the rows that the page has: all, or of many some, and all that have a held-out loss."""
    rows = range(len(curves["update"]))
    if len(rows) <= MOST_POINTS:
        return list(rows)
    there = [at for at in rows if curves["train_loss"][at] is not None] if "train_loss" in curves else list(rows)
    held_out = [at for at, loss in enumerate(curves.get("validation_loss", ())) if loss is not None]
    return sorted({*there[:: math.ceil(len(there) / MOST_POINTS)], rows[-1], *held_out})


def _verdict(
    scores: Mapping[str, Mapping[str, float]], noise: Mapping[str, Mapping[str, float]]
) -> dict[str, Any] | None:
    """Return what the terminal says of the model and its best baseline, in parts, for either language."""
    rows, errors = (
        {name: {key: value for key, value in row.items() if _number(value) is not None} for name, row in part.items()}
        for part in (scores, noise)
    )
    found = verdict_of(rows, errors) if MODEL in rows else None
    if found is None:
        return None
    own, other = (number(rows[name][found.metric]) for name in (MODEL, found.best))
    facts = {"metric": found.metric, "best": found.best, "own": own, "other": other}
    return {"beaten": found.beaten, "alike": found.alike, "off": found.improvable or found.alike, **facts}


def _settings(record: RunRecord) -> dict[str, str]:
    """Return the settings as a reader would type them; beside "auto" what was used."""
    found = {name: _shown(value) for name, value in record.settings.items() if value is not None}
    return found | {name: f"{_shown(value)} ({found[name]})" for name, value in record.used.items()}


def _layers(looks: Sequence[LayerLook]) -> list[dict[str, Any]]:
    """Return of each layer its curves over the looks, and its gradient by steps back at each of them."""
    found: dict[str, dict[str, Any]] = {}
    for at, look in enumerate(looks):
        for one in look.measures:
            layer = found.setdefault(one.layer, {"name": one.layer, "saturated": {}, "dead": {}, "gradient": {}})
            if one.kind == "gradient":
                by_look = layer["gradient"].setdefault(one.name, [[] for _ in looks])
                by_look[at].append([one.back, _number(one.value)])
            elif one.kind in ("saturated", "dead"):
                layer[one.kind].setdefault(one.name, [None] * len(looks))[at] = _number(one.value)
    return [{**layer, "updates": [look.update for look in looks]} for layer in found.values()]


def _plain(values: Iterable[float | None]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: Any) -> float | None:
    """Return a number as JSON has it, with seven digits; None for what is not finite."""
    found = float(value) if isinstance(value, int | float) else math.nan
    return float(f"{found:.7g}") if math.isfinite(found) else None


def _shown(value: Any) -> str:
    """Return a setting as a reader would type it."""
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
