"""Several threads beside one for a batch of one, whose units they share: loopcell itself, in one process."""

from __future__ import annotations

from benchmarks.grid import CELLS, NARROW, THREADS
from benchmarks.suites.part import Part, Suite
from benchmarks.suites.threads import run

SUITE = Suite(
    "teams",
    "several threads beside one, for a batch of one",
    tuple(Part("teams", cell, sizes, number) for number in THREADS if number > 1 for cell in CELLS for sizes in NARROW),
    run,
)
