"""Several threads beside one for a batch of one, whose units they share: loopcell itself, in one process."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import modules
from benchmarks.comparison import Settings, compare
from benchmarks.grid import CELLS, NARROW, THREADS
from benchmarks.peers import loopcell as ours
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.suites.threads import ONE, threads
from benchmarks.task import make_task


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [row(part, name, job, settings) for name, job in modules.JOBS.items()]


def row(part: Part, name: str, job: modules.Job, settings: Settings) -> Row:
    """Measure one cell and size at one job."""
    task = make_task(part.cell, part.sizes)
    one = ours.entry_of(job, task, modules.truth_of(job, task))
    entries = [
        replace(one.within(lambda: threads(part.threads)), name=f"loopcell, {part.threads} threads"),
        replace(one.within(lambda: threads(1)), name=ONE),
    ]
    return compare(part.case(name), entries, settings)


SUITE = Suite(
    "teams",
    "several threads beside one, for a batch of one",
    tuple(Part("teams", cell, sizes, number) for number in THREADS if number > 1 for cell in CELLS for sizes in NARROW),
    run,
)
