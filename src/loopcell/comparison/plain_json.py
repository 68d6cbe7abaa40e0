"""JSON as its standard has it: a number that is none is null; and files that hold one table of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopcell.errors import FileFormatError
from loopcell.files.atomic import atomic_write


def json_of(content: Any) -> str:
    """Return the text of a JSON file."""
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _plain(value) for name, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list | tuple) else content


def read_table(path: Path, cure: str) -> dict[str, Any]:
    """Read a file that holds a table; FileFormatError, which ends in the cure, where it does not."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged: it is no JSON; {cure}") from error
    if not isinstance(found, dict):
        raise FileFormatError(f"{path} is damaged: it is no table; {cure}")
    return found


def write_table(path: Path, content: Mapping[str, Any]) -> None:
    """Write a table as a file, whole or not at all; FileWriteError where that cannot be."""
    with atomic_write(path) as temporary:
        temporary.write_text(json_of(content), encoding="utf-8")
