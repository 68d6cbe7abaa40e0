"""The page of an inspection: one HTML file with its numbers, its script and its style inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from loopcell.equations.mathml import mathml
from loopcell.errors import InputError
from loopcell.insight.attention_map import AttentionMap
from loopcell.insight.capture import LayerView
from loopcell.insight.corpus_parts import column
from loopcell.insight.html_document import document
from loopcell.insight.inspection import Inspection, Prediction
from loopcell.insight.matches import Matches
from loopcell.insight.planes import encoded

MOST_VALUES = 24_000_000
"""Numbers that a page may hold: more makes files that browsers do not open well."""
MOST_STEPS = 32_767
"""The widest picture that every browser can make: a canvas of Firefox."""


def page_of(seen: Inspection) -> str:
    """Return the page of an inspection.

    Raises:
        InputError: it has more numbers than a page can hold; the sentence says how many steps fit.
    """
    blocks: list[str] = []
    first, *others = (_part(number, one, blocks) for number, one in enumerate(seen.parts.values()))
    facts = first | {
        "title": seen.title,
        "answer": [_said(each) for each in seen.answer],
        "notes": list(dict.fromkeys(note for one in seen.parts.values() for note in one.notes)),
        "others": others,
    }
    return document(seen.title, "inspect", facts, blocks)


def _part(number: int, seen: Inspection, blocks: list[str]) -> dict[str, Any]:
    """Return the facts of a part of the model, with steps of its own.

    Raises:
        InputError: as `page_of`.
    """
    widths = sum(value.shape[1] for layer in seen.layers for value in layer.quantities.values())
    fit = min(MOST_STEPS, MOST_VALUES // widths)
    if len(seen.steps) > fit:
        raise InputError(
            f"{len(seen.steps):,} steps of {widths:,} numbers are more than a page can hold: "
            f"{fit:,} steps fit, as in inspection.window(0, {fit}) or --part 0:{fit}"
        )
    layers = [_layer(f"{number}-{place}", layer, blocks) for place, layer in enumerate(seen.layers) if layer.quantities]
    return {
        "part": seen.part,
        "steps": [str(step) for step in seen.steps],
        "layers": layers,
        "traces": {name: _plain(value) for name, value in seen.traces.items()},
        "predictions": [[_said(each) for each in step] for step in seen.predictions],
        "predicted": seen.predicted,
        "attention": None if seen.attention is None else _attention(number, seen.attention, blocks),
        "matches": None if seen.matches is None else _matches(seen, seen.matches),
    }


def _attention(number: int, found: AttentionMap, blocks: list[str]) -> dict[str, Any]:
    """Return the facts of attention: its source, and the numbers as those of a layer whose units are the source."""
    plane = encoded(found.weights.astype(np.float32))
    place = f"attention-{number}"
    blocks.append(f'<script type="text/plain" id="{place}">{plane.pop("data")}</script>')
    shown = {"name": "attention", "units": len(found.source), "gate": False, "place": place}
    return {"source": [str(step) for step in found.source], "plane": shown | plane}


def _layer(number: str, layer: LayerView, blocks: list[str]) -> dict[str, Any]:
    """Return the facts of a layer; its numbers become blocks of text that the page decodes when it shows them."""
    quantities: list[dict[str, Any]] = []
    for name, values in layer.quantities.items():
        plane = encoded(values)
        place = f"plane-{number}-{len(quantities)}"
        blocks.append(f'<script type="text/plain" id="{place}">{plane.pop("data")}</script>')
        quantities.append(
            {"name": name, "units": values.shape[1], "gate": layer.is_gate(name), "place": place, **plane}
        )
    graph = layer.cell.graph
    return {
        "name": layer.name,
        "cell": layer.cell.name,
        "states": list(graph.states),
        "equations": mathml(graph),
        "quantities": quantities,
    }


def _matches(seen: Inspection, matches: Matches) -> dict[str, Any]:
    """Return the facts of a pattern and of the places where it is found; its units by the page's layers."""
    shown = [number for number, layer in enumerate(seen.layers) if layer.quantities]
    places = {
        column(number, name): (shown.index(number), name) for number in shown for name in seen.layers[number].quantities
    }
    units = [
        {"layer": places[each.column][0], "quantity": places[each.column][1], "unit": each.unit, "text": str(each)}
        | {"threshold": each.threshold, "above": each.above}
        for each in matches.pattern.conditions
    ]
    found = [
        {"sequence": each.sequence, "start": each.start, "end": each.end, "first": each.first, "score": each.score}
        | {
            "text": each.parts(matches.separator),
            "tokens": list(each.tokens),
            "values": [_plain(row) for row in each.values.T],
        }
        for each in matches.found
    ]
    interval = matches.pattern.interval
    counts = {"count": matches.count, "steps": matches.steps, "interval": None if interval is None else list(interval)}
    return {"units": units, "found": found, **counts}


def _said(one: Prediction) -> list[str | float | None]:
    """Return a prediction as JSON has it; a probability that is not finite as null."""
    label, probability = one
    return [str(label), float(probability) if probability is not None and np.isfinite(probability) else None]


def _plain(values: Any) -> list[float | None]:
    """Return numbers as JSON has them; what is not finite as null, six digits of the rest."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]
