"""One HTML file with its facts, its script and its style inside, which asks nobody for anything.

The page's policy (Content-Security-Policy) allows nothing from outside, so that what is in a model's tokens cannot load
or run anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple


class Dress(NamedTuple):
    """The script and the style of a page, as text."""

    script: str
    style: str


def html_page(
    title: str, dress: Dress, facts: Mapping[str, Any], blocks: Sequence[str] = (), *, runs_wasm: bool = False
) -> str:
    """Return a page.

    Args:
        title: of the page, as plain text.
        dress: its script and its style.
        facts: what the script reads, as JSON, from the element with the id "facts".
        blocks: further elements, as HTML, such as numbers that the script decodes when it shows them.
        runs_wasm: the script compiles WebAssembly.
    """
    scripts = f"'sha256-{_digest(dress.script)}'" + " 'wasm-unsafe-eval'" * runs_wasm
    allowed = {"default-src": "'none'", "script-src": scripts}
    allowed |= {"style-src": f"'sha256-{_digest(dress.style)}'", "img-src": "data:"}
    policy = "; ".join(f"{kind} {what}" for kind, what in allowed.items())
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>".encode("utf-8", "replace").decode("utf-8"),
            '<link rel="icon" href="data:,">',
            f"<style>{dress.style}</style></head>",
            '<body><main id="page"></main>',
            f'<script type="application/json" id="facts">{as_json(facts)}</script>',
            *blocks,
            f"<script>{dress.script}</script>",
            "</body></html>",
        ]
    )


def as_json(facts: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside of a script element, whatever strings are in it."""
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # half of a character, as JSON escapes it


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
