"""bf16: loopcell under autocast and in fp32 of less precision, beside its own fp32, and beside torch.nn in bf16."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from benchmarks import modules
from benchmarks.comparison import Absent, Entry, Observed, Settings, compare
from benchmarks.drawn_products import precision_of
from benchmarks.grid import CELLS, LARGE
from benchmarks.peers import loopcell as ours
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import Task, make_task

BF16, FP32, THEIRS = "loopcell, bf16", "loopcell, fp32", "torch.nn, bf16"
PRECISIONS = {"high": "loopcell, fp32 high", "medium": "loopcell, fp32 medium"}
"""By what `torch.set_float32_matmul_precision` is told."""


def autocast() -> torch.autocast:
    """Compute products in bf16."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def ours_in_bf16(job: modules.Job, task: Task, truth: Observed) -> Entry | Absent:
    """Return loopcell under autocast, where it has kernels for that."""
    module = ours.network_for(task)
    with autocast():
        plan = module.plan()[0]
    if not plan.fused:
        return Absent(BF16, f"no kernels: {plan.reason}")
    with autocast():
        made = job(BF16, module, modules.network_of(module), task, truth)
    return replace(made.within(autocast), dtype="bfloat16", path=plan.backend)


def ours_in_less(precision: str, job: modules.Job, task: Task, truth: Observed) -> Entry | Absent:
    """Return loopcell in fp32 whose products may lose digits, where that changes what kernels multiply."""
    name, module = PRECISIONS[precision], ours.network_for(task)
    with precision_of(precision):
        plan = module.plan()[0]
        if not plan.fused or "bfloat16" not in plan.reason:
            return Absent(name, f"the same as fp32: {plan.reason}")
        made = job(name, module, modules.network_of(module), task, truth)
    entry = replace(made.within(lambda: precision_of(precision)), path=plan.backend)
    return entry if precision == "high" else replace(entry, dtype="bfloat16")


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [row(part, name, job, settings) for name, job in modules.JOBS.items()]


def row(part: Part, name: str, job: modules.Job, settings: Settings) -> Row:
    """Measure one cell and size at one job."""
    task = make_task(part.cell, part.sizes)
    truth = modules.truth_of(job, task)
    theirs = copy.deepcopy(task.module).bfloat16()
    entries = [
        ours_in_bf16(job, task, truth),
        *(ours_in_less(precision, job, task, truth) for precision in PRECISIONS),
        replace(ours.entry_of(job, task, truth), name=FP32),
        replace(job(THEIRS, theirs, modules.network_of(theirs), task, truth), dtype="bfloat16"),
    ]
    return compare(part.case(name), entries, settings)


SUITE = Suite("bf16", "bf16 beside fp32", tuple(Part("bf16", cell, sizes) for cell in CELLS for sizes in LARGE), run)
