"""JSON as its standard has it: a number that is none is null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_of(content: Any) -> str:
    """Return the text of a JSON file."""
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _plain(value) for name, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list | tuple) else content
