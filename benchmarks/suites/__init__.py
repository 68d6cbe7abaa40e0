"""The suites, in the order in which they run."""

from __future__ import annotations

from benchmarks.suites import bf16, custom, grid, memory, ragged, stacked, startup, step, teams, threads
from benchmarks.suites.part import Suite

SUITES: dict[str, Suite] = {
    one.SUITE.name: one.SUITE for one in (step, grid, stacked, ragged, custom, threads, teams, bf16, memory, startup)
}
