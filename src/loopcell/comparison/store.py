"""The folder of a comparison: each run is written when it ends, and a second call goes on from there."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from loopcell.comparison.budget import own_sizes
from loopcell.comparison.plain_json import json_of, read_table, write_table
from loopcell.comparison.results import ComparedRun
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.writable import demand_folder

HEADING = "comparison.json"
PLAIN = re.compile("[a-z0-9_]{1,40}")
"""A cell's name that is a file's name as it is."""


class RunStore:
    """The runs of one comparison, a file each.

    Args:
        folder: new, or that of the same comparison; None keeps nothing.
        heading: what is the same for all its runs.

    Raises:
        UsageError: the folder is that of another comparison, or of something else.
        FileWriteError: it cannot be made, or may not be written.
    """

    def __init__(self, folder: Path | None, heading: Mapping[str, Any]) -> None:
        self._folder, self._heading = folder, heading
        if folder is None:
            return
        demand_folder(folder)
        before = folder / HEADING
        if before.is_file():
            _demand_same(folder, read_table(before, _cure(before)), json.loads(json_of(heading)))
        elif folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is there and is no comparison; name a new folder")

    def get(
        self, cell: Cell, seed: int, distance: int | None, hidden_size: int | None, sizes: Mapping[str, int]
    ) -> ComparedRun | None:
        """Return a run that ended before; None where there is none with this cell's equations and these sizes.

        Raises:
            FileFormatError: its file is damaged.
        """
        path = self._path(cell, seed, distance)
        if path is None or not path.is_file():
            return None
        found = _kept_run(path)
        run = found.run
        if (run.cell, run.seed, run.distance) != (cell.name, seed, distance):
            raise FileFormatError(_damaged(path, "it is another run"))
        same = found.equations == cell.fingerprint and found.sizes == own_sizes(cell, sizes)
        return run if same and hidden_size in (None, run.hidden_size) else None

    def add(self, cell: Cell, run: ComparedRun, sizes: Mapping[str, int]) -> None:
        """Write a run that ended; FileWriteError where that cannot be.

        The folder is made with the first one: of a comparison that cannot begin, nothing is left.
        """
        path = self._path(cell, run.seed, run.distance)
        if path is not None:
            if not (path.parent / HEADING).is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_table(path.parent / HEADING, self._heading)
            content = {"equations": cell.fingerprint, "sizes": own_sizes(cell, sizes), "run": asdict(run)}
            write_table(path, content)

    def _path(self, cell: Cell, seed: int, distance: int | None) -> Path | None:
        if self._folder is None:
            return None
        at = "" if distance is None else f"-distance-{distance}"
        return self._folder / f"{file_name(cell.name)}-seed-{seed}{at}.json"


def file_name(name: str) -> str:
    """Return a cell's name as a part of a file's name; other than plain letters are replaced, and a hash added.

    No two names give the same, also where a file system does not tell large letters from small ones.
    """
    if PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^a-z0-9_]+', '_', name.lower())[:40]}-{digest[:12]}"


@dataclass(frozen=True)
class _KeptRun:
    """The file of a run, as it is checked when it is read."""

    equations: str
    sizes: dict[str, int]
    run: ComparedRun


Count = Annotated[int, Field(strict=True, ge=1)]


@dataclass(frozen=True)
class _Shape:
    """The shape of a run's layers."""

    input_size: Count
    num_layers: Count
    bidirectional: StrictBool
    steps: Count
    batch: Count


def _kept_run(path: Path) -> _KeptRun:
    """Read the file of a run; FileFormatError where it does not have what such a file has."""
    content = read_table(path, _cure(path))
    try:
        found = TypeAdapter(_KeptRun).validate_python(_with_nan(content))
        TypeAdapter(_Shape).validate_python(found.run.shape)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise FileFormatError(_damaged(path, reason)) from error
    return found


def _with_nan(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a run's file with NaN where null stands for a number that was none."""
    run = content.get("run")
    if not isinstance(run, dict):
        return content
    tables = {name: run[name] for name in ("gradient", "baselines") if isinstance(run.get(name), dict)}
    run = {**run, **{name: {key: _nan(value) for key, value in table.items()} for name, table in tables.items()}}
    return {**content, "run": {**run, "score": _nan(run["score"])} if "score" in run else run}


def _nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_nan(one) for one in value]
    return math.nan if value is None else value


def _damaged(path: Path, reason: str) -> str:
    return f"{path} is damaged: {reason}; {_cure(path)}"


def _cure(path: Path) -> str:
    return "name a new folder" if path.name == HEADING else "remove it, and its run is made again"


def _demand_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in now:
        if name == "contents" and before.get(name) != now[name]:
            raise UsageError(f"{folder} is that of a comparison on other data, or the data changed; name a new folder")
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
