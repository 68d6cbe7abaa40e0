"""Rows of different lengths: loopcell's `lengths=` beside a PackedSequence in torch.nn.

Lengths are uniform in 1..T. Both sides start from a padded input and end with a padded output, as data come and as
losses want them. A second row of the result says what the padding costs: the same with every row T long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks import modules
from benchmarks.comparison import Absent, Entry, Settings, compare
from benchmarks.grid import CELLS, Shape
from benchmarks.peers import loopcell as ours
from benchmarks.peers.find import peers
from benchmarks.suites.part import Part, Row, Suite
from benchmarks.task import Network, make_task

SIZES = Shape(1000, 32, 64, 128)
PACKED = "torch.nn, PackedSequence"
WHOLE = "loopcell, every row T long"


def lengths_of(sizes: Shape) -> Tensor:
    """Return lengths [B], uniform in 1..T, in no order; one row has all T steps."""
    drawn = torch.randint(1, sizes.T + 1, (sizes.B,), generator=torch.Generator().manual_seed(0))
    drawn[sizes.B // 2] = sizes.T
    return drawn


def packing(lengths: Tensor) -> Callable[[nn.Module], Network]:
    """Run rows of different lengths as torch.nn does: packed, run, padded again."""

    def called(module: nn.Module) -> Network:
        inner = modules.network_of(module)

        def network(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            packed, states = inner(pack_padded_sequence(x, lengths, enforce_sorted=False))  # type: ignore[arg-type]
            return pad_packed_sequence(packed)[0], states  # type: ignore[arg-type]

        return network

    return called


def run(part: Part, settings: Settings) -> list[Row]:
    """Measure one cell: forward, and forward with backward."""
    return [row(part, name, job, settings) for name, job in modules.JOBS.items()]


def row(part: Part, name: str, job: modules.Job, settings: Settings) -> Row:
    """Measure one cell at one job."""
    task, lengths = make_task(part.cell, part.sizes), lengths_of(part.sizes)
    how = packing(lengths)
    truth = modules.truth_of(job, task, how)
    entries: list[Entry | Absent] = [
        ours.entry_of(job, task, truth, lengths),
        job(PACKED, task.module, how(task.module), task, truth),
        replace(ours.entry_of(job, task, modules.truth_of(job, task)), name=WHOLE),
    ]
    if job is modules.forward:
        entries += peers(("onnxruntime",), lambda peer: peer.forward_ragged(task, lengths, truth))
    valid = round(lengths.sum().item() / (part.sizes.T * part.sizes.B), 3)
    return compare({**part.case(name), "share_of_valid_steps": valid}, entries, settings)


SUITE = Suite("ragged", "rows of different lengths", tuple(Part("ragged", cell, SIZES) for cell in CELLS), run)
