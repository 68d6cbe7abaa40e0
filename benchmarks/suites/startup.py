"""From a cell's equations to its first result: with an empty cache of kernels, and in a new process with a full one."""

from __future__ import annotations

import tempfile
from dataclasses import asdict

from benchmarks import startup
from benchmarks.comparison import Settings
from benchmarks.measure import QUICK, spread
from benchmarks.processes import run_module
from benchmarks.suites.part import Part, Row, Suite

CELLS = tuple(startup.CELLS)
ROUNDS, WARM_PROCESSES = 3, 3
CLOSE = 1e-4
NEW, CACHED = "a new cell", "from the cache, in a new process"


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell: its first output, and its first gradients."""
    return [row(part, job, 1 if settings.patience is QUICK else ROUNDS) for job in startup.JOBS]


def row(part: Part, job: str, rounds: int) -> Row:
    """Measure one cell at one job."""
    found = {NEW: [], CACHED: []}  # type: dict[str, list[Row]]
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            measured = [
                run_module("benchmarks.startup", [part.cell, job], {"LOOPCELL_CACHE": cache})
                for _ in range(1 + WARM_PROCESSES)
            ]
        found[NEW].append(measured[0])
        found[CACHED] += measured[1:]
    made: Row = {**part.case(job), "seconds": {}, "absent": {}, "wrong": {}}
    everything = [*found[NEW], *found[CACHED]]
    if paths := {one["path"] for one in everything} - {"c"}:
        made["absent"] = {"loopcell": f"it ran on {', '.join(paths)}"}
    elif (error := max(one["error"] for one in everything)) > CLOSE:
        made["wrong"] = {"loopcell": f"off by {error:.2g} of the largest entry"}
    else:
        made["seconds"] = {name: asdict(spread([one["seconds"] for one in runs])) for name, runs in found.items()}
    return made


SUITE = Suite(
    "startup",
    "from a cell's equations to its first result",
    tuple(Part("startup", cell, startup.SIZES) for cell in CELLS),
    run,
)
