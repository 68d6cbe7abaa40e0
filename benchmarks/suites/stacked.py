"""Several layers, and both directions."""

from __future__ import annotations

from benchmarks import modules
from benchmarks.comparison import Settings, compare
from benchmarks.grid import CELLS, Shape
from benchmarks.modules import truth_of
from benchmarks.peers import loopcell as ours
from benchmarks.peers.find import peers
from benchmarks.suites.grid import FORWARD, TRAINING
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import make_task

FORMS = {"3 layers": (3, False), "2 layers, both directions": (2, True)}
SIZES = Shape(100, 32, 64, 128)


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and form: forward, and forward with backward."""
    layers, both = FORMS[part.form]
    task = make_task(part.cell, part.sizes, num_layers=layers, bidirectional=both)
    truth = truth_of(modules.forward, task)
    entries = [ours.forward(task, truth), *peers(FORWARD, lambda peer: peer.forward(task, truth))]
    rows = [compare(part.case("forward"), entries, settings)]
    gradients = truth_of(modules.training, task)
    entries = [ours.training(task, gradients), *peers(TRAINING, lambda peer: peer.training(task, gradients))]
    return [*rows, compare(part.case("training"), entries, settings)]


SUITE = Suite(
    "stacked",
    "several layers, and both directions",
    tuple(Part("stacked", cell, SIZES, 1, form) for form in FORMS for cell in CELLS),
    run,
)
