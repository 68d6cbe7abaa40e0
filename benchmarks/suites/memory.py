"""Peak memory beside torch.nn's, each in processes of their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks import memory
from benchmarks.comparison import Settings
from benchmarks.grid import CELLS, Shape
from benchmarks.measure import QUICK, ratios, spread
from benchmarks.processes import run_module
from benchmarks.suites.part import Part, Row, Suite

SIZES = (
    Shape(100, 32, 128, 256),
    Shape(128, 64, 256, 512),
    Shape(50, 128, 512, 512),
    Shape(784, 64, 1, 128),
    Shape(4000, 4, 16, 64),
)
SYSTEMS = ("loopcell", "torch.nn")
ROUNDS = 3
CLOSE = 1e-4


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [row(part, job, 1 if settings.patience is QUICK else ROUNDS) for job in memory.JOBS]


def row(part: Part, job: str, times: int) -> Row:
    """Measure one cell and size at one job."""
    found: Row = {**part.case(job), "bytes": {}, "ratios": {}, "absent": {}, "wrong": {}}
    if reason := memory.available():
        return {**found, "absent": {"loopcell": reason}}
    rounds = [[measured(system, part, job) for system in SYSTEMS] for _ in range(times)]
    if any(differs(ours["norms"], theirs["norms"]) for ours, theirs in rounds):
        return {**found, "wrong": {"loopcell": "what was computed has another norm than torch.nn's"}}
    columns = {
        system: [one["bytes"] for one in column]
        for system, column in zip(SYSTEMS, zip(*rounds, strict=True), strict=True)
    }
    found["bytes"] = {system: asdict(spread(values)) for system, values in columns.items()}
    found["ratios"] = {"torch.nn": asdict(ratios(columns["torch.nn"], columns["loopcell"]))}
    return found


def measured(system: str, part: Part, job: str) -> Any:
    """Return one process' peak."""
    return run_module("benchmarks.memory", [system, part.cell, str(part.sizes), job], memory.ENVIRONMENT)


def differs(ours: list[float], theirs: list[float]) -> bool:
    """Return whether two lists of norms are not those of the same tensors."""
    return any(not abs(a - b) <= CLOSE * max(abs(b), 1e-6) for a, b in zip(ours, theirs, strict=True))


SUITE = Suite(
    "memory",
    "peak memory beside torch.nn's",
    tuple(Part("memory", cell, sizes) for cell in CELLS for sizes in SIZES),
    run,
)
