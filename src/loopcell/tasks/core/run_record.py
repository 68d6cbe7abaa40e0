"""A run as its folder tells it: curves, looks at the layers, why it failed, scores, sizes, settings, the machine."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.files.atomic import atomic_write
from loopcell.files.tensors import read_tensor_shapes
from loopcell.insight.has_page import HasPage
from loopcell.tasks.core.model_kind import MODEL
from loopcell.tasks.core.pace import AUTO
from loopcell.training.metrics import COLUMNS
from loopcell.training.run_folder import RunFolder
from loopcell.training.watched import LayerLook, Measure

Curve = tuple[float | None, ...]
_LAYER = re.compile(r"(.*\bl\d+(?:_reverse)?)\.")


@dataclass(frozen=True, eq=False)
class RunRecord(HasPage):
    """A run, finished, failed or under way.

    Attributes:
        name: of its folder.
        task: the kind of model, such as "language-model".
        cell: its name; "" where the model has none.
        settings: what was asked for, the seed and the hardware among it.
        used: what was used where a setting is "auto", as far as the run keeps it.
        curves: the columns of metrics.csv by name, [R] each: None where a row has no number, and infinite or NaN where
            it has one that is not finite. A column that an earlier version did not write is not there.
        looks: at the layers, in order; none where the run was not watched.
        failure: why training could not go on; "" where it could.
        failed_at: the last update before that.
        scores: the model's and the baselines' metrics at the end, by name; empty where there are none yet.
        noise: by baseline and metric, the standard error of its difference to the model; empty where it is not known.
        scored: what they are about, such as "370 sequences".
        machine: what it ran on; empty where an earlier version did not keep it.
        parameters: numbers in each part of the model, by the part's name.
        files: bytes of each file and folder.
        samples: texts that the model writes, where it is one that writes.
    """

    name: str
    task: str
    cell: str
    settings: Mapping[str, Any]
    curves: Mapping[str, Curve]
    looks: Sequence[LayerLook] = ()
    failure: str = ""
    failed_at: int = 0
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    noise: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    scored: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    samples: Sequence[str] = ()
    used: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        updates = self.curves["update"][-1:] or (0,)
        state = f", failed: {self.failure}" if self.failure else ""
        return f"RunRecord({self.name}: {self.task}, {updates[0]:.0f} updates, {len(self.looks)} looks{state})"

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns of metrics.csv that this run does not have: an earlier version began it."""
        return tuple(column for column in COLUMNS if column not in self.curves)

    def html(self) -> str:
        """Return the page: one file, with no request to anywhere."""
        from loopcell.tasks.core.run_page import page_of

        return page_of(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page.

        Raises:
            InputError: the name does not end in .html.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
        """
        target = Path(path)
        if target.suffix.lower() != ".html":
            raise InputError(f"{target.name}: a run is saved as .html; its numbers are in metrics.csv and watched.csv")
        with atomic_write(target) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")


def read_run(folder: str | PathLike[str]) -> RunRecord:
    """Read what a run's folder tells of it, while it trains or afterwards.

    Args:
        folder: the run's.

    Raises:
        UsageError: it is no run's, or training has not come to a row of metrics yet.
        FileFormatError: a file of it is damaged.
    """
    run = RunFolder(Path(folder))
    if not run.path.is_dir():
        raise UsageError(f"there is no run folder {run.path}")
    config = run.read_config()
    curves = _curves(run.metrics)
    failure = run.read_json(run.failure) if run.failure.is_file() else {}
    if not curves["update"] and not failure:
        raise UsageError(
            f"{run.path} has no row of metrics yet: it is a run that has only begun, or of a kind that writes none"
        )
    score = run.read_json(run.score) if run.score.is_file() else {}
    settings = _settings_of(config)
    return RunRecord(
        name=run.path.resolve().name,
        task=str(config.get("task", "")),
        cell=_cell_of(config),
        settings=settings,
        curves=curves,
        looks=_looks(run.watched),
        failure=str(failure.get("message", "")),
        failed_at=int(failure.get("update", 0)),
        scores=score.get("rows", {}),
        noise=score.get("noise", {}),
        scored=str(score.get("data", "")),
        machine=run.read_json(run.machine) if run.machine.is_file() else {},
        parameters=_parameters(run.model),
        files=_sizes(run.path),
        used={name: value for name, value in _used(run, config).items() if settings.get(name) == AUTO},
    )


def _cell_of(config: Mapping[str, Any]) -> str:
    cell = config.get("cell")
    graph = cell.get("graph") if isinstance(cell, Mapping) else None
    return str(graph.get("name", "")) if isinstance(graph, Mapping) else str(cell or "")


def _settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, in one table: of the arguments, the seed and the hardware."""
    parts = (config.get("config"), config.get("hardware"), {"seed": config.get("seed")})
    return {name: value for part in parts if isinstance(part, Mapping) for name, value in part.items()}


def _used(run: RunFolder, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run used, of the settings that may be "auto"; less of a run that an earlier version made."""
    pace = run.read_json(run.pace) if run.pace.is_file() else {}
    machine = run.read_json(run.machine) if run.machine.is_file() else {}
    learned = config.get("learned")
    known = learned if isinstance(learned, Mapping) else {}
    found = {**pace, "device": machine.get("device"), **{name: known.get(name) for name in ("pooling", "downsample")}}
    return {name: value for name, value in found.items() if value is not None or name in pace}


def _curves(path: Path) -> dict[str, Curve]:
    """Return the columns of metrics.csv; what is damaged is left out, as where a run is resumed."""
    if not path.is_file():
        return {"update": ()}
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header, *rows = list(csv.reader(line.replace("\0", "") for line in file)) or [[]]
    if header[:1] != ["update"]:
        raise FileFormatError(f"{path} is damaged: its first line does not name the columns")
    read = [_numbers(row) for row in rows if len(row) == len(header)]
    whole = [numbers for numbers in read if numbers is not None and numbers[0] is not None]
    return {name: tuple(row[at] for row in whole) for at, name in enumerate(header)}


def _numbers(row: Sequence[str]) -> list[float | None] | None:
    try:
        return [float(cell) if cell else None for cell in row]
    except ValueError:
        return None


def _looks(path: Path) -> list[LayerLook]:
    """Return the looks that a table keeps; a row that is damaged is left out."""
    if not path.is_file():
        return []
    found: dict[int, list[Measure]] = {}
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.reader(line.replace("\0", "") for line in file):
            numbers = _numbers([row[0], *row[4:]]) if len(row) == 6 else None
            if numbers is None or None in (numbers[0], numbers[2]):
                continue
            update, back, value = numbers
            measure = Measure(row[1], row[2], row[3], value, None if back is None else int(back))  # type: ignore[arg-type]
            found.setdefault(int(update or 0), []).append(measure)
    return [LayerLook(update, measures) for update, measures in found.items()]


def _parameters(model: Path) -> dict[str, int]:
    """Return how many numbers each part of a model file has; nothing where there is no such file yet."""
    if not model.is_file():
        return {}
    found: dict[str, int] = {}
    for name, shape in read_tensor_shapes(model, MODEL).items():
        layer = _LAYER.match(name)
        part = layer[1] if layer else name.rpartition(".")[0]
        if part and part != "scale":  # what has no part are counts and the like, which nobody trains either
            found[part] = found.get(part, 0) + math.prod(shape)
    return found


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file of a run, and of all that is in each of its folders."""
    found = {}
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith("."):
            inside = [entry] if entry.is_file() else [file for file in entry.rglob("*") if file.is_file()]
            found[entry.name + "/" * entry.is_dir()] = sum(file.stat().st_size for file in inside)
    return found
