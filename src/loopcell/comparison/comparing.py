"""Comparing cells: every cell on the same job, with the same budget and the same seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console

from loopcell import cells as library
from loopcell.comparison.budget import Budget, layers_of, nearest_hidden_size
from loopcell.comparison.costs import MeasuredLayers, measured
from loopcell.comparison.jobs import Job
from loopcell.comparison.on_data import OnData
from loopcell.comparison.on_problem import OnProblem
from loopcell.comparison.results import CellCost, ComparedRun, Comparison
from loopcell.comparison.store import RunStore
from loopcell.equations import Cell
from loopcell.errors import TrainingError, UsageError
from loopcell.layers import Recurrent
from loopcell.training.progress import working

USUAL_CELLS = ("rnn", "gru", "lstm")


def compare(
    job: str | OnProblem | OnData,
    cells: Sequence[str | Cell] = USUAL_CELLS,
    *,
    seeds: int | Sequence[int] = 3,
    budget: Budget = "units",
    folder: str | PathLike[str] | None = None,
    progress: bool = False,
) -> Comparison:
    """Train every cell on a job with every seed, and say side by side what each reaches and what it costs.

    Args:
        job: "adding", "copying" or "recall", with the usual settings; or `OnProblem`, or `OnData`, with your own.
        cells: two or more, by name or made by `@cell`.
        seeds: how many, from 1 on; or the seeds themselves.
        budget: what is the same for every cell: "units", the hidden size; or "parameters", for which the hidden size of
            each cell is the one whose recurrent layers have nearly as many as those of the first cell.
        folder: each run is written there when it ends, and a second call goes on from there; None keeps nothing.
        progress: show it on standard error.

    Raises:
        UsageError: fewer than two cells, an unknown one, no seed, or the folder is that of another comparison, or of
            one on other data.
        FileWriteError: the folder cannot be made, or may not be written.
        FileFormatError: the file of a run in the folder is damaged.
        TrainingError: an estimator's loss is not finite; the sentence names the cell and the seed.
        KeyboardInterrupt: it was interrupted; the runs that had ended are in the folder.
    """
    if isinstance(job, str):
        job = OnProblem(name=job)
    chosen, numbers = chosen_cells(cells), chosen_seeds(seeds)
    if budget not in get_args(Budget):
        raise UsageError(f"a budget is 'units' or 'parameters', not {budget!r}")
    first = chosen[0].name if budget == "parameters" else ""
    kept = Path(folder) if folder is not None else None
    heading = {
        "job": job.name, "data": job.data, "settings": job.shared(), "budget": budget, "first_cell": first,
        "contents": "" if kept is None else job.contents(),
    }  # fmt: skip
    store = RunStore(kept, heading)
    runs = _Runs(job, budget, store, Console(stderr=True) if progress else None).all(chosen, numbers)
    return Comparison(
        job=job.name,
        data=job.data,
        budget=budget,
        cells=chosen,
        runs=runs,
        costs=_costs(chosen, runs, job.sizes or {}),
        settings=job.shared(),
        solved=job.solved,
    )


def chosen_cells(cells: Sequence[str | Cell]) -> list[Cell]:
    """Return the cells, each by its own name.

    Raises:
        UsageError: there are fewer than two, one is unknown, or two have the same name.
    """
    found = [library.get(cell) for cell in ([cells] if isinstance(cells, str) else cells)]
    names = [cell.name for cell in found]
    if len(found) < 2:
        raise UsageError(
            f"a comparison takes two cells or more, such as rnn,gru,lstm; got {', '.join(names) or 'none'}"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two cells are named {twice}; each has to have its own name: @cell(name=...)")
    return found


def chosen_seeds(seeds: int | Sequence[int]) -> list[int]:
    """Return the seeds, each once.

    Raises:
        UsageError: there are none, or one is no number from 0 on.
    """
    found = list(range(1, seeds + 1)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not found or any(not isinstance(seed, int) or not 0 <= seed < 2**31 for seed in found):
        raise UsageError(f"seeds is how many, at least 1, or the seeds themselves; got {seeds!r}")
    return found


class _Runs:
    """The runs of a comparison: those of the folder, and those that are made now."""

    def __init__(self, job: Job, budget: Budget, store: RunStore, console: Console | None) -> None:
        self._job, self._budget, self._store, self._console = job, budget, store, console
        self._hidden: dict[str, int] = {}

    def all(self, cells: Sequence[Cell], seeds: Sequence[int]) -> list[ComparedRun]:
        """Return every run, the cells in turn, so that all of them are there from early on."""
        self._hidden = {cells[0].name: self._job.hidden_size}
        found: list[ComparedRun] = []
        total = len(self._job.tried) * len(seeds) * len(cells)
        for distance in self._job.tried:
            for seed in seeds:
                for cell in cells:
                    place = f"{len(found) + 1}/{total}"
                    found.append(self._run(cell, seed, distance, place, found[0] if found else None))
        return found

    def _run(self, cell: Cell, seed: int, distance: int | None, place: str, first: ComparedRun | None) -> ComparedRun:
        hidden = self._hidden_size(cell, first)
        sizes = self._job.sizes or {}
        run = self._store.get(cell, seed, distance, hidden, sizes)
        if run is not None and run.note:
            self._say(place, run)
        if run is None:
            at = "" if distance is None else f", distance {distance}"
            with working(self._console, f"{place}  {cell.name}, seed {seed}{at}"):
                run = self._trained(cell, hidden, seed, distance)
            self._store.add(cell, run, sizes)
            self._say(place, run)
        return run

    def _trained(self, cell: Cell, hidden: int, seed: int, distance: int | None) -> ComparedRun:
        try:
            return self._job.train(cell, hidden, seed, distance)
        except TrainingError as error:
            raise TrainingError(f"{cell.name}, seed {seed}: {error}") from error

    def _hidden_size(self, cell: Cell, first: ComparedRun | None) -> int:
        if cell.name not in self._hidden:
            if self._budget == "units":
                self._hidden[cell.name] = self._job.hidden_size
            else:
                assert first is not None  # the first cell's size is known from the start
                sizes = self._job.sizes or {}
                self._hidden[cell.name] = nearest_hidden_size(cell, first.parameters, first.shape, sizes)
        return self._hidden[cell.name]

    def _say(self, place: str, run: ComparedRun) -> None:
        if self._console is not None:
            at = "" if run.distance is None else f"  distance {run.distance}"
            end = f"  ({run.note})" if run.note else ""
            self._console.print(
                f"{place}  {run.cell}  seed {run.seed}{at}  {run.metric} {run.score:.4f}  "
                f"{run.updates:,} updates  {run.seconds:.1f} s{end}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip


def _costs(cells: Sequence[Cell], runs: Sequence[ComparedRun], sizes: Mapping[str, int]) -> list[CellCost]:
    """Measure what the layers cost on sequences of the largest distance, drawn at random."""
    shape = runs[-1].shape
    hidden = {run.cell: run.hidden_size for run in runs}
    x = torch.randn(shape["steps"], shape["batch"], shape["input_size"], generator=torch.Generator().manual_seed(0))
    return measured({cell.name: MeasuredLayers(_on_cpu(cell, hidden[cell.name], shape, sizes), x) for cell in cells})


def _on_cpu(cell: Cell, hidden_size: int, shape: Mapping[str, Any], sizes: Mapping[str, int]) -> Recurrent:
    with torch.random.fork_rng(devices=[]):
        return layers_of(cell, hidden_size, shape, sizes, device="cpu")
