"""The page of a run: one HTML file with its curves, its script and its style inside."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loopcell.insight.html_document import document
from loopcell.tasks.core.run_record import RunRecord
from loopcell.training.watched import LayerLook

MOST_POINTS = 4_000
"""Rows of a curve that a page shows; of more, every second, third, ... and the last."""


def page_of(record: RunRecord) -> str:
    """Return the page of a run."""
    rows = len(record.curves["update"])
    stride = max(1, math.ceil(rows / MOST_POINTS))
    kept = sorted({*range(0, rows, stride), *([rows - 1] if rows else [])})
    kept = sorted({*kept, *(at for at, loss in enumerate(_column(record, "validation_loss")) if loss is not None)})
    facts = {
        "title": record.name,
        "task": record.task,
        "cell": record.cell,
        "failure": record.failure,
        "failedAt": record.failed_at,
        "curves": {name: _plain(values[at] for at in kept) for name, values in record.curves.items()},
        "missing": list(record.missing),
        "layers": _layers(record.looks),
        "scores": {name: {key: _number(value) for key, value in row.items()} for name, row in record.scores.items()},
        "scored": record.scored,
        "machine": {name: str(value) for name, value in record.machine.items()},
        "parameters": dict(record.parameters),
        "files": dict(record.files),
        "settings": {name: _shown(value) for name, value in record.settings.items() if value is not None},
        "clip": record.settings.get("clip"),
        "samples": list(record.samples),
    }
    return document(record.name, "run", facts)


def _column(record: RunRecord, name: str) -> Sequence[float | None]:
    return record.curves.get(name, ())


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
