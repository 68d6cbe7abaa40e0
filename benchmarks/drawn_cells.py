"""Cells of drawn equations, in drawn forms: the kernels beside the reference path, forward and every gradient.

The drawer is that of the property tests. A seed gives a cell, and a seed and a number one of its cases: sizes,
layers, directions, lengths, resets, how the input lies in memory, threads. A case is compared in float64 and in
float32, and its forward pass once more without gradients.

How close is close enough follows from the case. Drawn equations may magnify rounding, and then two right answers
differ. How much they do is seen where the reference path in float32 leaves the one in float64, so a kernel in float32
may be a few times as far off, and one in float64 by as much less as its grain is finer. Where a drawn `where` or
`relu` stands exactly on its edge, rounding decides the branch: a case that fails on its data is run on other data,
and only fails if it does there too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

import loopcell
from loopcell.equations import Cell
from loopcell.testing import TOLERANCES, Case
from loopcell.testing.case import Observed, observe, run
from tests.laws.drawn import cell_of, draw

WIDTHS = (1, 2, 3, 5, 8, 15, 16, 17, 31, 33)
STEPS = (0, 1, 2, 3, 4, 5, 7, 9)
BATCHES = (1, 1, 2, 3, 4, 6, 7, 13)
LARGE_CHANCE, LARGE = 0.05, (70, 12, 19)
"""Now and then large enough that the kernels share the rows out among threads."""
FACTOR = 20
"""How many times as far off as the reference path in float32 a kernel may be."""
OTHER_DATA = (1, 2)
GRAIN = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Form:
    """A network over a drawn cell, and its data.

    Attributes:
        case: the cell, sizes, steps and rows.
        num_layers, bidirectional: of the stack.
        lengths: [B] or None.
        reset: bool [T, B] or None.
        batch_in_front: the input lies in memory with the batch in front.
        threads: how many.
    """

    case: Case
    num_layers: int
    bidirectional: bool
    lengths: Tensor | None
    reset: Tensor | None
    batch_in_front: bool
    threads: int

    def net(self, dtype: torch.dtype) -> loopcell.Recurrent:
        """Return the network."""
        return self.case.net(num_layers=self.num_layers, bidirectional=self.bidirectional, dtype=dtype)

    def x(self, dtype: torch.dtype, seed: int) -> Tensor:
        """Return the input [T, B, I]."""
        x = self.case.inputs(seed=seed).to(dtype)
        return x.transpose(0, 1).contiguous().transpose(0, 1) if self.batch_in_front else x


def drawn_cell(seed: int) -> Cell:
    """Return the cell of a seed."""
    cell: Cell = cell_of(draw(random.Random(seed)))
    return cell


def drawn_form(cell: Cell, seed: int, number: int) -> Form:
    """Return one of a cell's cases."""
    chance = random.Random(f"{seed}/{number}")
    small = (chance.choice(WIDTHS), chance.choice(STEPS), chance.choice(BATCHES))
    H, T, B = LARGE if chance.random() < LARGE_CHANCE else small
    lengths = torch.tensor([chance.randint(0, T) for _ in range(B)]) if chance.random() < 0.4 else None
    reset = torch.tensor([[chance.random() < 0.3 for _ in range(B)] for _ in range(T)], dtype=torch.bool).view(T, B)
    return Form(
        Case(cell, input_size=chance.randint(1, 6), hidden_size=H, steps=T, batch=B),
        num_layers=chance.choice((1, 1, 2, 3)),
        bidirectional=chance.random() < 0.4,
        lengths=lengths,
        reset=reset if chance.random() < 0.4 else None,
        batch_in_front=chance.random() < 0.3,
        threads=chance.choice((1, 2)),
    )


def compare(form: Form) -> str:
    """Compare kernels and reference path on one case.

    Returns:
        "" if they agree; "borderline: ..." if they differ on one set of data only; "not finite" if the reference path
        in float64 gives no finite numbers; else what differs.
    """
    torch.set_num_threads(form.threads)
    difference = _difference(form, seed=0)
    if not difference or difference == "not finite":
        return difference
    others = [_difference(form, seed) for seed in OTHER_DATA]
    return difference if all(others) else f"borderline: {difference}"


def _difference(form: Form, seed: int) -> str:
    with loopcell.backend("reference"):
        truth, coarse = (everything(form, dtype, seed) for dtype in (torch.float64, torch.float32))
    if not all(torch.isfinite(tensor).all() for tensor in truth.values()):
        return "not finite"
    grown = {name: error(coarse[name], expected) for name, expected in truth.items()}
    for dtype, grain in ((torch.float64, GRAIN), (torch.float32, 1.0)):
        found = everything(form, dtype, seed)
        for name, expected in truth.items():
            off, allowed = error(found[name], expected), max(TOLERANCES[dtype], FACTOR * grain * grown[name])
            # Where float32 itself is no number, nothing is asked of it.
            if not (off <= allowed or (dtype == torch.float32 and grown[name] != grown[name])):
                return f"{name} in {str(dtype).removeprefix('torch.')} is off by {off:.3g} ({allowed:.3g} is allowed)"
    return ""


def everything(form: Form, dtype: torch.dtype, seed: int) -> Observed:
    """Return outputs, final states and every gradient, and the output and states of a pass without gradients."""
    net = form.net(dtype)
    x, state = form.x(dtype, seed), form.case.state(net).to(dtype)
    how = run(net, lengths=form.lengths, reset=form.reset)
    found = observe(net, how, x, state)
    with torch.no_grad():
        y, final = how(x, state)
    return (
        found
        | {"the output without gradients": y}
        | {f"{name} without gradients": part for name, part in final.items()}
    )


def is_fused(form: Form) -> bool:
    """Return whether kernels run it: a comparison of the reference path with itself would say nothing."""
    return all(plan.fused for dtype in (torch.float64, torch.float32) for plan in form.net(dtype).plan())


def error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest error, in units of the largest entry or of 1; NaN where a number is not finite."""
    if not expected.numel():
        return 0.0
    return ((actual.double() - expected).abs().max() / expected.abs().max().clamp(min=1)).item()
