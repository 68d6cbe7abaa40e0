"""The folder of a comparison: each run is written when it ends, and a second call goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loopcell.comparison.results import ComparedRun
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.atomic import atomic_write

HEADING = "comparison.json"


class RunStore:
    """The runs of one comparison, a file each.

    Args:
        folder: new, or that of the same comparison; None keeps nothing.
        heading: what is the same for all its runs.

    Raises:
        UsageError: the folder is that of another comparison, or of something else.
    """

    def __init__(self, folder: Path | None, heading: Mapping[str, Any]) -> None:
        self._folder, self._heading = folder, heading
        if folder is None:
            return
        before = folder / HEADING
        if before.is_file():
            _demand_same(folder, _read(before), json.loads(json.dumps(heading)))
            return
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there and is no comparison; name a new folder")

    def get(self, cell: Cell, seed: int, distance: int | None, hidden_size: int | None) -> ComparedRun | None:
        """Return a run that ended before; None where there is none with this cell's equations and hidden size.

        Raises:
            FileFormatError: its file is damaged.
        """
        path = self._path(cell, seed, distance)
        if path is None or not path.is_file():
            return None
        found = _read(path)
        try:
            run = ComparedRun(**found["run"])
            same = found["equations"] == cell.fingerprint and hidden_size in (None, run.hidden_size)
        except (KeyError, TypeError) as error:
            raise FileFormatError(f"{path} is damaged; remove it, and its run is made again") from error
        return run if same else None

    def add(self, cell: Cell, run: ComparedRun) -> None:
        """Write a run that ended; FileWriteError where that cannot be.

        The folder is made with the first one: of a comparison that cannot begin, nothing is left.
        """
        path = self._path(cell, run.seed, run.distance)
        if path is not None:
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
                _write(path.parent / HEADING, self._heading)
            _write(path, {"equations": cell.fingerprint, "run": asdict(run)})

    def _path(self, cell: Cell, seed: int, distance: int | None) -> Path | None:
        if self._folder is None:
            return None
        at = "" if distance is None else f"-distance-{distance}"
        return self._folder / f"{cell.name}-seed-{seed}{at}.json"


def _demand_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in now:
        if before.get(name) != now[name]:
            raise UsageError(
                f"{folder} is that of another comparison: its {name.replace('_', ' ')} is "
                f"{_brief(before.get(name), now[name])}; name a new folder"
            )


def _brief(before: Any, now: Any) -> str:
    """Return what differs: of two tables of settings the first entry that does."""
    if isinstance(before, dict) and isinstance(now, dict):
        name = next(name for name in {**before, **now} if before.get(name) != now.get(name))
        return f"{name} {before.get(name)!r}, not {now.get(name)!r}"
    return f"{before!r}, not {now!r}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} is damaged: it is no JSON") from error
    if not isinstance(found, dict):
        raise FileFormatError(f"{path} is damaged: it is no table")
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
