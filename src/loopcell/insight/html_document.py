"""The pages that the library writes of models, runs and comparisons, by kind.

The front end is `frontend/` in the repository; what its build gives lies in `page/` here, a script and a style for each
kind of page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from loopcell.files.html_page import Dress, html_page


def document(title: str, kind: str, facts: Mapping[str, Any], blocks: Sequence[str] = ()) -> str:
    """Return a page that asks nobody for anything; see `html_page`.

    Args:
        title: of the page, as plain text.
        kind: of page: its script and its style are `page/{kind}.js` and `page/{kind}.css`.
        facts: what the script reads.
        blocks: further elements, as HTML.
    """
    return html_page(title, Dress(_asset(f"{kind}.js"), _asset(f"{kind}.css")), facts, blocks)


@cache
def _asset(name: str) -> str:
    return files("loopcell.insight").joinpath("page", name).read_text(encoding="utf-8").strip()
