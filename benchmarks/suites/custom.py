"""Cells that torch.nn does not have: beside our own LSTM or GRU of the same size, and beside loops in Python.

The bare products say how much faster than a loop anything could be.
"""

from __future__ import annotations

from dataclasses import replace

import loopcell
from benchmarks import modules, roof
from benchmarks.comparison import Settings, compare, errors
from benchmarks.grid import Shape
from benchmarks.invented import invent
from benchmarks.peers import loopcell as ours, packed_loop, python_loop
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import make_task

BESIDE = {"lstm_layer_norm": "lstm", "lstm_peephole": "lstm", "gru_keeps_before": "gru", "invented": "gru"}
"""The custom cells, and the one of ours with as many products."""
SIZES = (Shape(100, 32, 64, 128), Shape(100, 32, 128, 256))
OWN = "loopcell's own"


def cell_named(name: str) -> loopcell.Cell:
    """Return a custom cell."""
    return invent() if name == "invented" else loopcell.cells.get(name)


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [row(part, name, settings) for name in modules.JOBS]


def row(part: Part, name: str, settings: Settings) -> Row:
    """Measure one cell and size at one job."""
    beside = make_task(BESIDE[part.cell], part.sizes)
    module = loopcell.Recurrent(cell_named(part.cell), part.sizes.I, part.sizes.H)
    parameters = {key.removeprefix("l0."): value.detach() for key, value in module.named_parameters()}
    job, as_written, packed = modules.JOBS[name], python_loop.JOBS[name], packed_loop.JOBS[name]
    doubles = {key: value.double() for key, value in parameters.items()}
    truth = as_written(part.cell, doubles, beside.x.double(), beside.cotangent.double(), None).observe()
    loop = as_written(part.cell, parameters, beside.x, beside.cotangent, truth)
    slack = errors(loop.observe(), truth)
    own = ours.entry_of(job, beside, modules.truth_of(job, beside))
    entries = [
        replace(
            job(ours.NAME, module.get_submodule("l0"), modules.network_of(module), beside, truth),
            slack=slack,
            path=ours.path(module),
        ),
        replace(own, name=f"{OWN} {BESIDE[part.cell]}"),
        replace(loop, slack=slack),
        replace(packed(part.cell, parameters, beside.x, beside.cotangent, truth), slack=slack),
        *roof.products(BESIDE[part.cell], part.sizes, name),
    ]
    return compare({**part.case(name), "beside": BESIDE[part.cell]}, entries, settings)


SUITE = Suite(
    "custom",
    "cells that torch.nn does not have, beside our own and beside a loop in Python",
    tuple(Part("custom", cell, sizes) for cell in BESIDE for sizes in SIZES),
    run,
)
