"""The grid: one layer, whole sequences, beside every peer and beside the bare products."""

from __future__ import annotations

from benchmarks import modules, roof
from benchmarks.comparison import Settings, compare
from benchmarks.grid import CELLS, SHAPES, THREADS
from benchmarks.modules import truth_of
from benchmarks.peers import loopcell as ours
from benchmarks.peers.find import peers
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import make_task

FORWARD, TRAINING = ("torch_nn", "jax", "onnxruntime"), ("torch_nn", "jax")


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell and size: forward, and forward with backward."""
    return [forward(part, settings), training(part, settings)]


def forward(part: Part, settings: Settings) -> Row:
    """Return a forward pass."""
    task = make_task(part.cell, part.sizes)
    truth = truth_of(modules.forward, task)
    first = ours.forward(task, truth)
    others = peers(FORWARD, lambda peer: peer.forward(task, truth))
    others += peers(("onnxruntime",), lambda peer: peer.forward_bound(task, truth))
    roofs = roof.products(part.cell, part.sizes, "forward") if part.sizes.is_large else []
    return compare(part.case("forward"), [first, ours.on_reference(first), *others, *roofs], settings)


def training(part: Part, settings: Settings) -> Row:
    """Return a training pass."""
    task = make_task(part.cell, part.sizes)
    truth = truth_of(modules.training, task)
    first = ours.training(task, truth)
    others = peers(TRAINING, lambda peer: peer.training(task, truth))
    roofs = roof.products(part.cell, part.sizes, "training") if part.sizes.is_large else []
    return compare(part.case("training"), [first, ours.on_reference(first), *others, *roofs], settings)


SUITE = Suite(
    "grid",
    "one layer over whole sequences, beside torch.nn, JAX, ONNX Runtime and the bare products",
    tuple(Part("grid", cell, sizes, threads) for threads in THREADS for cell in CELLS for sizes in SHAPES),
    run,
)
