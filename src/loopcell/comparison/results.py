"""The results of a comparison: each run, what each cell costs, and the forms in which they leave."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from loopcell.comparison.plain_json import json_of
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.insight.has_page import HasPage, save_by_ending
from loopcell.tasks.core.verdict import LOSSES, aligned


@dataclass(frozen=True)
class ComparedRun:
    """One training: a cell, a seed, and of a problem the distance.

    Attributes:
        cell: its name.
        seed: of the weights and of the data.
        distance: in steps; None for data.
        metric: the name of the score.
        score: on what it has not learned from; NaN where the run diverged: its loss or its answers were no numbers.
        solved: whether the score counts as solved; None for data.
        updates: of the weights.
        seconds: that the training took, on a machine that may have done other work.
        hidden_size: H.
        parameters: of the recurrent layers.
        start: the start values, in words.
        shape: of the recurrent layers and of what they read: input_size, num_layers, bidirectional, steps, batch.
        gradient: the norm of the loss's gradient (on data: that of the last output along a random direction) with
            respect to the whole state, from the last step back, before training ("start", problems alone) and after it
            ("end").
        baselines: scores of what needs no recurrent model, by name.
        note: what else there is to know, such as that the loss was no number any more.
    """

    cell: str
    seed: int
    distance: int | None
    metric: str
    score: float
    solved: bool | None
    updates: int
    seconds: float
    hidden_size: int
    parameters: int
    start: str
    shape: Mapping[str, Any]
    gradient: Mapping[str, Sequence[float]]
    baselines: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class CellCost:
    """The cost of a cell's recurrent layers.

    Attributes:
        cell: its name.
        hidden_size: H.
        parameters: of the recurrent layers.
        forward_ms: median milliseconds of processor time, of all threads, for a forward pass without gradients.
        training_ms: the same for a forward and backward pass.
        saved_bytes: bytes of the tensors that autograd saves between the two passes: each storage once, without the
            parameters and the input.
        steps: T, of the sequences.
        batch: B, sequences side by side.
        rounds: in which the cells took turns; the medians are over all calls of all rounds.
    """

    cell: str
    hidden_size: int
    parameters: int
    forward_ms: float
    training_ms: float
    saved_bytes: int
    steps: int
    batch: int
    rounds: int


@dataclass(frozen=True)
class CellScore:
    """The runs of one cell at one distance, together.

    Attributes:
        cell: its name.
        distance: in steps; None for data.
        mean: of the scores of the runs that did not diverge; NaN where all did.
        low: the least of them.
        high: the largest.
        seeds: how many runs there are, with those that diverged.
        solved: how many of them solved it; None for data.
        diverged: how many of them diverged, and have no score.
    """

    cell: str
    distance: int | None
    mean: float
    low: float
    high: float
    seeds: int
    solved: int | None
    diverged: int = 0


@dataclass(frozen=True, eq=False)
class Comparison(HasPage):
    """Cells on one job under the same budget.

    Attributes:
        job: what was learned: adding, copying, recall, or the task of an estimator.
        data: where it comes from, in words.
        budget: what is the same for all cells: "units" or "parameters".
        cells: that were compared, in order.
        runs: each training.
        costs: of each cell.
        settings: the arguments that all cells share.
        solved: the score from which on the job counts as solved; None for data.
    """

    job: str
    data: str
    budget: str
    cells: Sequence[Cell]
    runs: Sequence[ComparedRun]
    costs: Sequence[CellCost]
    settings: Mapping[str, Any] = field(default_factory=dict)
    solved: float | None = None

    def __repr__(self) -> str:
        names = ", ".join(cell.name for cell in self.cells)
        return f"Comparison({self.job}: {names}; {len(self.runs)} runs)"

    @property
    def metric(self) -> str:
        """The name of the scores."""
        return self.runs[0].metric

    @property
    def larger_is_better(self) -> bool:
        """True where the larger of two scores is the better one."""
        return self.metric not in LOSSES

    @property
    def distances(self) -> list[int]:
        """The distances, from near to far; none for data."""
        return sorted({run.distance for run in self.runs if run.distance is not None})

    @property
    def places(self) -> Sequence[int | None]:
        """The distances; None alone for data, which have none."""
        return self.distances or (None,)

    @property
    def baselines(self) -> Mapping[str, float]:
        """The scores of what needs no recurrent model, by name: their means over the runs."""
        found: dict[str, list[float]] = {}
        for run in self.runs:
            for name, score in run.baselines.items():
                found.setdefault(name, []).append(score)
        return {name: statistics.fmean(scores) for name, scores in found.items()}

    def scores(self) -> list[CellScore]:
        """Return the runs of each cell at each distance together: mean, least and largest score."""
        groups: dict[tuple[str, int | None], list[ComparedRun]] = {}
        for run in self.runs:
            groups.setdefault((run.cell, run.distance), []).append(run)
        return [_together(cell, distance, runs) for (cell, distance), runs in groups.items()]

    def farthest(self, cell: str) -> list[int]:
        """Return for each seed the farthest distance up to which a cell solved every one; 0 where it solved none.

        Raises:
            InputError: there are no distances, or no such cell.
        """
        if not self.distances:
            raise InputError("these are scores on data, which have no distance")
        runs = [run for run in self.runs if run.cell == cell]
        if not runs:
            raise InputError(f"no cell {cell!r} was compared; there is {', '.join(one.name for one in self.cells)}")
        return [_farthest([run for run in runs if run.seed == seed]) for seed in sorted({run.seed for run in runs})]

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every run, without its gradients; `pandas.DataFrame(comparison.records())` is a table."""
        left_out = ("shape", "gradient", "baselines")
        return [{name: value for name, value in asdict(run).items() if name not in left_out} for run in self.runs]

    def table(self) -> str:
        """Return the comparison as text: a line for each cell, with its scores and its costs."""
        head = [*self._columns(), "H", "parameters", "training", "forward", "saved"]
        head += ["reaches"] if self.distances else []
        rows = {cell.name: self._row(cell.name) for cell in self.cells}
        return "\n".join([self._title(), *aligned(head, rows)])

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values; `save` writes null for a number that is none, as JSON has no NaN."""
        return {
            "job": self.job,
            "data": self.data,
            "metric": self.metric,
            "larger_is_better": self.larger_is_better,
            "budget": self.budget,
            "settings": dict(self.settings),
            "solved": self.solved,
            "baselines": dict(self.baselines),
            "cells": {cell.name: cell.text() for cell in self.cells},
            "scores": [asdict(score) for score in self.scores()],
            "reaches": {cell.name: self.farthest(cell.name) for cell in self.cells} if self.distances else {},
            "costs": [asdict(cost) for cost in self.costs],
            "runs": [asdict(run) for run in self.runs],
        }

    def html(self) -> str:
        """Return the page: one file, with no request to anywhere."""
        from loopcell.comparison.page_writer import page_of

        return page_of(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the comparison in the form that the name asks for.

        Args:
            path: `.html` is the page, `.json` everything, `.csv` a row for every run.

        Raises:
            InputError: another ending.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
        """
        save_by_ending(self, path, "a comparison", {".json": _write_json, ".csv": _write_csv})

    def _title(self) -> str:
        same = "hidden size" if self.budget == "units" else "number of parameters"
        at = ", by distance in steps" if self.distances else ""
        return f"{self.job}, the same {same}; {self.metric}{at}, mean (least to largest) of the seeds:"

    def _columns(self) -> list[str]:
        return [str(distance) for distance in self.distances] or [self.metric]

    def _row(self, cell: str) -> list[str]:
        scores = {score.distance: score for score in self.scores() if score.cell == cell}
        cells = [_shown(scores.get(distance)) for distance in self.places]
        cost = next((cost for cost in self.costs if cost.cell == cell), None)
        if cost is None:
            cells += [""] * 5
        else:
            cells += [str(cost.hidden_size), f"{cost.parameters:,}", f"{cost.training_ms:.2f} ms"]
            cells += [f"{cost.forward_ms:.2f} ms", f"{cost.saved_bytes / 1e6:.2f} MB"]
        return [*cells, as_range(self.farthest(cell))] if self.distances else cells


def as_range(values: Sequence[int]) -> str:
    """Return "80", or "40 to 80" where values differ."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _together(cell: str, distance: int | None, runs: Sequence[ComparedRun]) -> CellScore:
    finite = [run.score for run in runs if math.isfinite(run.score)]
    scores = finite or [math.nan]
    solved = None if distance is None else sum(bool(run.solved) for run in runs)
    mean, low, high = statistics.fmean(scores), min(scores), max(scores)
    return CellScore(cell, distance, mean, low, high, len(runs), solved, len(runs) - len(finite))


def _farthest(runs: Sequence[ComparedRun]) -> int:
    reached = 0
    for run in sorted(runs, key=lambda run: run.distance or 0):
        if not run.solved:
            break
        reached = run.distance or 0
    return reached


def _shown(score: CellScore | None) -> str:
    if score is None:
        return ""
    diverged = f"{score.diverged} of {score.seeds} diverged"
    if score.diverged == score.seeds:
        return diverged
    places = 3 if abs(score.mean) < 100 else 1
    shown = f"{score.mean:.{places}f} ({score.low:.{places}f} to {score.high:.{places}f})"
    return f"{shown}, {diverged}" if score.diverged else shown


def _write_json(found: Comparison, path: Path, _: str) -> None:
    path.write_text(json_of(found.to_json()), encoding="utf-8")


def _write_csv(found: Comparison, path: Path, _: str) -> None:
    rows = found.records()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
