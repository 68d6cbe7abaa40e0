"""One HTML file with its facts, its script and its style inside: the shell of every page that the library writes.

The front end is `frontend/` in the repository; what its build gives lies in `page/` here, a script and a style for each
kind of page. The page's policy (Content-Security-Policy) allows nothing from outside, so that what is in a model's
tokens cannot load or run anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any


def document(title: str, kind: str, facts: Mapping[str, Any], blocks: Sequence[str] = ()) -> str:
    """Return a page that asks nobody for anything.

    Args:
        title: of the page, as plain text.
        kind: of page: its script and its style are `page/{kind}.js` and `page/{kind}.css`.
        facts: what the script reads, as JSON, from the element with the id "facts".
        blocks: further elements, as HTML, such as numbers that the script decodes when it shows them.
    """
    script, style = _asset(f"{kind}.js"), _asset(f"{kind}.css")
    allowed = {"default-src": "'none'", "script-src": f"'sha256-{_digest(script)}'"}
    allowed |= {"style-src": f"'sha256-{_digest(style)}'", "img-src": "data:"}
    policy = "; ".join(f"{kind} {what}" for kind, what in allowed.items())
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>".encode("utf-8", "replace").decode("utf-8"),
            '<link rel="icon" href="data:,">',
            f"<style>{style}</style></head>",
            '<body><main id="page"></main>',
            f'<script type="application/json" id="facts">{as_json(facts)}</script>',
            *blocks,
            f"<script>{script}</script>",
            "</body></html>",
        ]
    )


def as_json(facts: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside of a script element, whatever strings are in it."""
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # half of a character, as JSON escapes it


@cache
def _asset(name: str) -> str:
    return files("loopcell.insight").joinpath("page", name).read_text(encoding="utf-8").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
