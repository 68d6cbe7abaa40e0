"""Two threads beside one, of loopcell itself, in one process; `teams` has more of them, for a batch of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from benchmarks import modules
from benchmarks.comparison import Settings, compare
from benchmarks.grid import CELLS, WIDE
from benchmarks.peers import loopcell as ours
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import make_task

ONE, TWO = "loopcell, 1 thread", "loopcell, 2 threads"


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Set PyTorch's own number of threads, which loopcell takes over."""
    torch.set_num_threads(number)
    yield


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
    "threads",
    "two threads beside one",
    tuple(Part("threads", cell, sizes, 2) for cell in CELLS for sizes in WIDE),
    run,
)
