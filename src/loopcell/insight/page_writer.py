"""The page of an inspection: one HTML file with its numbers, its script and its style inside.

The front end is `frontend/` in the repository; `inspect.js` and `inspect.css` here are what its build gives. The
page's policy (Content-Security-Policy) allows nothing from outside, so that what is in a model's tokens cannot load or
run anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from loopcell.equations.mathml import mathml
from loopcell.errors import InputError
from loopcell.insight.capture import LayerView
from loopcell.insight.inspection import Inspection
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
    widths = sum(value.shape[1] for layer in seen.layers for value in layer.quantities.values())
    fit = min(MOST_STEPS, MOST_VALUES // widths)
    if len(seen.steps) > fit:
        raise InputError(
            f"{len(seen.steps):,} steps of {widths:,} numbers are more than a page can hold: "
            f"{fit:,} steps fit, as in inspection.window(0, {fit}) or --part 0:{fit}"
        )
    script, style = _asset("inspect.js"), _asset("inspect.css")
    allowed = {"default-src": "'none'", "script-src": f"'sha256-{_digest(script)}'"}
    allowed |= {"style-src": f"'sha256-{_digest(style)}'", "img-src": "data:"}
    policy = "; ".join(f"{kind} {what}" for kind, what in allowed.items())
    blocks: list[str] = []
    layers = [_layer(number, layer, blocks) for number, layer in enumerate(seen.layers) if layer.quantities]
    facts = {
        "title": seen.title,
        "steps": [str(step) for step in seen.steps],
        "layers": layers,
        "traces": {name: _plain(value) for name, value in seen.traces.items()},
        "predictions": [[list(each) for each in step] for step in seen.predictions],
        "predicted": seen.predicted,
        "answer": [list(each) for each in seen.answer],
        "notes": list(seen.notes),
    }
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(seen.title)}</title>".encode("utf-8", "replace").decode("utf-8"),
            '<link rel="icon" href="data:,">',
            f"<style>{style}</style></head>",
            '<body><main id="page"></main>',
            f'<script type="application/json" id="facts">{_json(facts)}</script>',
            *blocks,
            f"<script>{script}</script>",
            "</body></html>",
        ]
    )


def _layer(number: int, layer: LayerView, blocks: list[str]) -> dict[str, Any]:
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


def _plain(values: Any) -> list[float | None]:
    """Return numbers as JSON has them; what is not finite as null, six digits of the rest."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]


def _json(facts: dict[str, Any]) -> str:
    """Return JSON that can stand inside of a script element, whatever strings are in it."""
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # half of a character, as JSON escapes it


@cache
def _asset(name: str) -> str:
    return files("loopcell.insight").joinpath("page", name).read_text(encoding="utf-8").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
