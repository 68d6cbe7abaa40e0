"""Result files: NAME.json, one a suite, each from one machine and one state of the code.

What is right or wrong everywhere lies in `results/`; what takes time lies in `results/machines/`, in a folder for each
machine, so that no machine's figures take the place of another's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import code, machine, slug
from loopcell.files import atomic_write

RESULTS = Path(__file__).parent / "results"
MACHINES = RESULTS / "machines"
"""What depends on the machine: a folder each, side by side."""


def of_this_machine() -> Path:
    """Return the folder of this machine's results."""
    return MACHINES / slug(machine())


def heading(**about: Any) -> dict[str, Any]:
    """Return what stands over figures: where they were measured, on what code, and how."""
    asked = {name: os.environ[name] for name in ("LOOPCELL_TARGET", "LOOPCELL_CFLAGS") if os.environ.get(name)}
    return {"machine": machine(), "code": code(), "environment": asked, **about}


def read(path: Path) -> dict[str, Any]:
    """Return a result file; an empty one where there is none."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)  # whoever wrote something else there has to look
    return content


def state() -> dict[str, Any]:
    """Return the day, the state of the code and the machine, for a part of a file whose others may have another."""
    return {"day": datetime.now(UTC).date().isoformat(), "code": code(), "machine": shortened(machine())}


def shortened(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a figure that is no time may depend on of a machine."""
    return {name: about.get(name) for name in ("processor", "vectors", "caches", "torch")}


def write_beside(path: Path, about: Mapping[str, Any], group: str, name: str, found: Any) -> None:
    """Write one part of a file anew; the others stay, and `measured` says of each when, by what and where it was.

    Args:
        path: the file.
        about: the heading.
        group: the key of the parts, by name.
        name: of this one.
        found: its figures.
    """
    before = read(path)
    parts = before.get(group, {})
    measured = {part: _state_before(before, found) for part, found in parts.items()} | before.get("measured", {})
    write(path, {**about, group: {**parts, name: found}, "measured": {**measured, name: state()}})


def _state_before(file: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a part of a file that does not say it: its own day and code, or those of the heading."""
    own = {about: part.get(about, file.get(about)) for about in ("day", "code")}
    return {**own, "machine": shortened(file.get("machine", {}))}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class SuiteFile:
    """The file of a suite: a heading, and rows by part, so that a run can go on where it stopped.

    Parts that were measured under another heading (another machine, other code) are not kept beside new ones.

    Args:
        path: the file.
        about: the heading.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path, self._about = path, dict(about)
        found = read(path)
        same = all(found.get(name) == value for name, value in self._about.items())
        self.parts: dict[str, Any] = found.get("parts", {}) if same else {}

    def add(self, part: str, rows: Any) -> None:
        """Write the file with one more part in it."""
        self.parts[part] = {"day": datetime.now(UTC).date().isoformat(), "rows": rows}
        write(self.path, {**self._about, "parts": self.parts})


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return all rows of a suite's file."""
    return [row for part in read(path).get("parts", {}).values() for row in part["rows"]]
