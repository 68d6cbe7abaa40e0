"""Rows of different lengths: loopcell's `lengths=` beside a PackedSequence in torch.nn.

Lengths are uniform in 1..T. Both sides start from a padded input and end with a padded output, as data come and as
losses want them. A second row of the result says what the padding costs: the same with every row T long.

The limit is a model of the work, from times of the same run: a step at which b rows still run costs what a step of a
batch of b rows costs, where every row is T long, and the padding has to be written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
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
BATCHES = (1, 2, 4, 8, 12, 16, 20, 24, 28, SIZES.B)
"""Of rows that are T long, for the model of the work; a number between two of them costs what lies between."""
PADDING = "zeros of the padding"


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
    entries += [of_batch(part, job, batch) for batch in BATCHES]
    padding = int((part.sizes.T - lengths).sum())
    widths = (part.sizes.H, part.sizes.I) if job is modules.training else (part.sizes.H,)  # of the input's gradient too
    entries.append(Entry(PADDING, lambda: [torch.zeros(padding, width) for width in widths], dict))
    valid = round(lengths.sum().item() / (part.sizes.T * part.sizes.B), 3)
    found = compare({**part.case(name), "share_of_valid_steps": valid}, entries, settings)
    return {**found, **limit(found["times"], lengths, part.sizes.T)}


def of_batch(part: Part, job: modules.Job, batch: int) -> Entry:
    """Return loopcell at a job with so many rows, all T long."""
    return replace(ours.entry_of(job, make_task(part.cell, part.sizes._replace(B=batch)), None), name=_of_batch(batch))


def limit(times: dict[str, Any], lengths: Tensor, steps: int) -> Row:
    """Return what the model of the work says, in milliseconds, and the limit's share of what was measured."""
    if ours.NAME not in times:
        return {}
    each = [times[_of_batch(batch)]["median"] / steps for batch in BATCHES]
    running = [int((lengths > step).sum()) for step in range(steps)]
    found = float(np.interp(running, (0, *BATCHES), (0.0, *each)).sum()) + times[PADDING]["median"]
    return {"limit": round(found, 4), "share_of_limit": round(found / times[ours.NAME]["median"], 3)}


def _of_batch(batch: int) -> str:
    return f"loopcell, {batch} rows, T long"


SUITE = Suite("ragged", "rows of different lengths", tuple(Part("ragged", cell, SIZES) for cell in CELLS), run)
