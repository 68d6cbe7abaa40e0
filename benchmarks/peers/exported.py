"""Our own export to C, called from C: one step after the other, as a program without Python takes them."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path
from typing import Any

import torch

import loopcell
from benchmarks.comparison import Absent, Entry, Observed
from benchmarks.task import Task
from loopcell.backends.c.toolchain.target import target
from loopcell.export import step_model_of
from loopcell.export.c.compiled import compile_files
from loopcell.export.c.export import FLAGS
from loopcell.export.c.product import product_form
from loopcell.export.c.source import CSource

STEPS = 20
"""In one call, so that what a call from Python costs does not count."""
LOOP = """
#include "net.h"

static net_model model;
static net_state state;

void start(void) { net_init(&model); net_reset(&state); }
void run(const float *x, float *y, int steps) {
    for (int step = 0; step < steps; step++) net_step(&model, &state, x, y);
}
"""


def step(task: Task, truth: Observed, weights: str = "float32") -> Entry | Absent:
    """Return steps of the exported C, with vectors; the task's batch is 1."""
    name, chosen = f"exported C, {weights}", target()
    if chosen is None:
        return Absent(name, "there is no C compiler")
    network = getattr(loopcell, task.cell.upper())(task.sizes.I, task.sizes.H)
    network.load_state_dict(task.module.state_dict())
    library = _library(CSource(step_model_of(network), "net", product_form("vectors", weights)), chosen.command)
    x, y = task.x[:, 0].contiguous(), torch.empty(task.sizes.H)

    def observe() -> Observed:
        library.start()
        rows = []
        for row in x:
            library.run(row.data_ptr(), y.data_ptr(), 1)
            rows.append(y.clone())
        return {"the outputs": torch.stack(rows).unsqueeze(1)}

    def run() -> None:
        library.run(x.data_ptr(), y.data_ptr(), STEPS)

    library.start()
    dtype = "float32" if weights == "float32" else "bfloat16"
    return Entry(name, run, observe, truth, dtype=dtype, jobs=STEPS)


def _library(source: CSource, command: tuple[str, ...]) -> Any:
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        folder = Path(scratch)
        for name, text in (("net.h", source.header()), ("net.c", source.code()), ("loop.c", LOOP)):
            (folder / name).write_text(text, encoding="utf-8")
        flags = ("-std=c99", *FLAGS, "-march=native", "-fPIC", "-shared")
        compile_files((*command, *flags), [folder / "net.c", folder / "loop.c"], folder / "net.so")
        library = ctypes.CDLL(str(folder / "net.so"))
    library.run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    library.run.restype = library.start.restype = None
    return library
