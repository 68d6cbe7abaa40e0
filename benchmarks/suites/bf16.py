"""bf16: loopcell under autocast beside its own fp32 and beside others in bf16, and fp32 at "high" and "medium"."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import torch

from benchmarks import modules
from benchmarks.comparison import Absent, Entry, Observed, Settings, compare
from benchmarks.drawn_products import precision_of
from benchmarks.grid import CELLS, LARGE, LONG
from benchmarks.peers import loopcell as ours
from benchmarks.peers.find import peers
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import Task, make_task

BF16, FP32, THEIRS = "loopcell, bf16", "loopcell, fp32", "torch.nn, bf16"
AT_HIGH, AT_MEDIUM = "high", "medium"
"""The forms of rows in which our fp32 of less precision stands beside our fp32."""
FORMS = ("", AT_HIGH, AT_MEDIUM)
OTHERS = ("JAX, bf16", "ONNX Runtime, bf16")


def autocast() -> torch.autocast:
    """Compute products in bf16."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def at(precision: str) -> str:
    """Return what our fp32 of some precision is called."""
    return f"loopcell, {precision}"


def ours_at(precision: str, job: modules.Job, task: Task, truth: Observed) -> Entry | Absent:
    """Return loopcell with products of parts in bf16, or of one, where kernels multiply so on this machine."""
    module = ours.network_for(task)
    with precision_of(precision):
        plan = module.plan()[0]
        if not plan.fused or "bfloat16" not in plan.reason:
            return Absent(at(precision), f"the same as fp32: {plan.reason}")
        made = job(at(precision), module, modules.network_of(module), task, truth)
    # Operands of one part lose what bf16 loses, though results are in fp32.
    dtype = "bfloat16" if precision == AT_MEDIUM else made.dtype
    return replace(made.within(partial(precision_of, precision)), dtype=dtype, path=plan.backend)


def others_in_bf16(name: str, task: Task, truth: Observed) -> list[Entry | Absent]:
    """Return the peers beside torch.nn."""
    in_jax, in_onnx = OTHERS
    (found,) = peers(("jax",), lambda jax: getattr(jax, name)(task, truth, "bfloat16"))
    return [replace(found, name=in_jax), Absent(in_onnx, "its recurrent nodes on CPUs are for float32")]


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


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [row(part, name, job, settings) for name, job in modules.JOBS.items()]


def row(part: Part, name: str, job: modules.Job, settings: Settings) -> Row:
    """Measure one cell and size at one job."""
    task = make_task(part.cell, part.sizes)
    truth = modules.truth_of(job, task)
    fp32 = replace(ours.entry_of(job, task, truth), name=FP32)
    if part.form:
        return compare(part.case(name), [ours_at(part.form, job, task, truth), fp32], settings)
    theirs = copy.deepcopy(task.module).bfloat16()
    entries = [
        ours_in_bf16(job, task, truth),
        fp32,
        replace(job(THEIRS, theirs, modules.network_of(theirs), task, truth), dtype="bfloat16"),
        *others_in_bf16(name, task, truth),
    ]
    return compare(part.case(name), entries, settings)


SUITE = Suite(
    "bf16",
    "bf16 beside fp32, and fp32 of which products are in bf16",
    (
        *(Part("bf16", cell, sizes) for cell in CELLS for sizes in LONG),
        *(Part("bf16", cell, sizes, form=form) for cell in CELLS for sizes in LARGE for form in (AT_HIGH, AT_MEDIUM)),
    ),
    run,
)
