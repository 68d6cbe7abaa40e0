"""One step at a time, the state carried on: what a stream waits for."""

from __future__ import annotations

from benchmarks import roof
from benchmarks.comparison import Settings, compare
from benchmarks.grid import CELLS, Shape
from benchmarks.peers import loopcell as ours, torch_nn
from benchmarks.peers.find import peers
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import make_task

SIZES = tuple(Shape(20, 1, width, width) for width in (64, 128, 256, 512))
"""T is the number of steps that are compared before one is timed."""


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size."""
    task = make_task(part.cell, part.sizes)
    truth = torch_nn.step_truth(task)
    entries = [
        ours.step(task, truth),
        *peers(("torch_nn", "jax", "onnxruntime"), lambda peer: peer.step(task, truth)),
        *peers(("onnxruntime",), lambda peer: peer.step_bound(task, truth)),
        torch_nn.cell_step(task, truth),
        roof.reading(list(task.module.parameters())),
    ]
    return [compare(part.case("step"), entries, settings)]


SUITE = Suite("step", "one step at a time", tuple(Part("step", cell, sizes) for cell in CELLS for sizes in SIZES), run)
