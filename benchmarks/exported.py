"""Models exported to C: errors and speed: `python -m benchmarks.exported`, into exported.json and exported_errors.json.

Errors: every cell, and 50 of drawn equations, through every compiler that is there, without and with optimisation, in
plain C and over vectors, in 32 bits, under valgrind, and through emulators on a 64-bit ARM and on a Cortex-M4 without
an operating system. Memory: what a Cortex-M4 needs for a GRU, as its compiler says. Fixed point: the error of every
cell. Speed: a step of an LSTM and of a GRU beside ONNX Runtime, PyTorch, our own stepper and the time to read the
weights once.

    --only errors, --only memory, --only fixed, --only speed    one part
    --quick                                       to see that everything works
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import roof
from benchmarks.comparison import Entry, Observed, Settings, compare
from benchmarks.drawn_cells import drawn_cell
from benchmarks.exported_builds import BUILDS, Build, errors_table
from benchmarks.grid import Shape
from benchmarks.measure import QUICK, Patience
from benchmarks.peers import exported, loopcell as ours, torch_nn
from benchmarks.peers.find import peers
from benchmarks.results import RESULTS, SuiteFile, heading
from benchmarks.task import Task, make_task
from loopcell import GRU, cells
from loopcell.equations import Cell
from loopcell.errors import EquationWarning
from loopcell.export import StepCheck, step_model_of
from loopcell.export.c.compiled import STRICT
from loopcell.export.c.fixed.record import fixed_source, record_fixed
from loopcell.export.c.product import product_form
from loopcell.export.c.report import code_bytes, stack_bytes
from loopcell.export.c.source import CSource
from loopcell.export.drawn import drawn
from tests.export.c.models import network, prove, source_of

HIDDEN = (32, 64, 128, 256, 512)
M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os")


def errors(builds: tuple[Build, ...] = BUILDS, drawn_cells: int = 50) -> Iterator[dict[str, Any]]:
    """Yield the largest error of all cells, and of each, for every build.

    Args:
        builds: how they are compiled and run.
        drawn_cells: how many cells of drawn equations there are beside those that have names.
    """
    for build in builds:
        why_not = build.absent()
        if why_not is not None:
            yield {**build.about, "absent": why_not}
            continue
        found = {name: _error(build, name) for name in cells.names()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EquationWarning)  # drawn equations compute what they do not use
            drawn_ones = {str(seed): _error(build, drawn_cell(seed)) for seed in range(drawn_cells)}
        largest = {"error": max(found.values()), "error_of_drawn_cells": max(drawn_ones.values(), default=0.0)}
        yield {**build.about, **largest, "cells": found, "drawn_cells": drawn_ones}


def _error(build: Build, cell: str | Cell) -> float:
    """Return the largest error of a network of a cell, compiled and run by a build."""
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        source = source_of(network(cell, hidden_size=17), build.simd)
        largest, _ = prove(source, Path(scratch), *build.command(Path(scratch)), runner=build.runner)
        return float(largest)


def memory() -> Iterator[dict[str, Any]]:
    """Yield what a GRU of 16 inputs takes on a Cortex-M4, with each kind of weights."""
    compiler = shutil.which("arm-none-eabi-gcc")
    for weights in ("float32", "bfloat16", "int8", "fixed int16", "fixed int8"):
        for hidden in (32, 64, 128):
            source = _small(hidden, weights)
            row: dict[str, Any] = {"weights": weights, "hidden": hidden, "weight_bytes": source.weight_bytes}
            row["state_bytes"] = source.number_bytes * sum(size for _, size in source.states)
            row["buffer_bytes"] = source.buffer_bytes
            if compiler is not None:
                with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
                    folder = Path(scratch)
                    (folder / "net.h").write_text(source.header(), encoding="utf-8")
                    (folder / "net.c").write_text(source.code(), encoding="utf-8")
                    row["stack_bytes"] = stack_bytes(source, (compiler, *STRICT, *M4), folder)
                    row["code_bytes"] = code_bytes(folder / "net.o", "arm-none-eabi-size")
            yield row


def fixed(steps: int = 200) -> Iterator[dict[str, Any]]:
    """Yield the error of every cell in fixed point, against the model in double precision, over so many steps."""
    for weights in ("int16", "int8"):
        found = {}
        for name in cells.names():
            torch.manual_seed(0)
            step = step_model_of(network(name, hidden_size=17))
            # No times before 0: the logarithm of a time is what one of the cells takes.
            data = {key: np.abs(values) for key, values in drawn(step, steps).items()}
            source, inputs = fixed_source(step, "net", weights, "arrays", data)
            found[name] = record_fixed(source, StepCheck(inputs), inputs).narrowing
        yield {"weights": weights, "error": max(found.values()), "cells": found}


def _small(hidden: int, weights: str) -> CSource:
    """Return a GRU in C, with the weights of floats or in fixed point."""
    step = step_model_of(GRU(16, hidden))
    arithmetic, _, narrow = weights.rpartition(" ")
    if arithmetic:
        return fixed_source(step, "net", narrow, "arrays", drawn(step, 64))[0]
    return CSource(step, "net", product_form("plain", weights))


def speed(hidden: tuple[int, ...], settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield a comparison of one step for each cell and size: the first entry is the export in float32."""
    for cell in ("lstm", "gru"):
        for size in hidden:
            task = make_task(cell, Shape(20, 1, size, size))
            truth = torch_nn.step_truth(task)
            entries = [
                *(exported.step(task, truth, weights) for weights in ("float32", "bfloat16", "int8")),
                ours.step(task, truth),
                *peers(("torch_nn", "onnxruntime"), partial(_step, task, truth)),
                *peers(("onnxruntime",), partial(_step_bound, task, truth)),
                roof.reading(list(task.module.parameters())),
            ]
            yield compare({"cell": cell, "hidden": size}, entries, settings)


def _step(task: Task, truth: Observed, peer: Any) -> Entry:
    found: Entry = peer.step(task, truth)
    return found


def _step_bound(task: Task, truth: Observed, peer: Any) -> Entry:
    found: Entry = peer.step_bound(task, truth)
    return found


def main() -> None:
    """Measure what was asked for and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["errors", "memory", "fixed", "speed"])
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    settings = Settings(QUICK if asked.quick else Patience())
    parts = {"errors": lambda: errors(BUILDS[:1], 2) if asked.quick else errors(), "memory": memory}
    parts["fixed"] = lambda: fixed(20 if asked.quick else 200)
    parts["speed"] = lambda: speed(HIDDEN[:1] if asked.quick else HIDDEN, settings)
    folder = RESULTS.parent / "quick" if asked.quick else RESULTS
    for name, rows in parts.items():
        if asked.only in (None, name):
            found = []
            for row in rows():
                found.append(row)
                short = {key: value for key, value in row.items() if key not in ("cells", "drawn_cells")}
                print(name, *(f"{key}={value}" for key, value in short.items()), flush=True)
            # Errors in a file of their own: they are measured beside other work too, and speed is not.
            file = "exported_errors.json" if name == "errors" else "exported.json"
            SuiteFile(folder / file, heading()).add(name, found)
            if name == "errors":
                print(errors_table(found))


if __name__ == "__main__":
    main()
