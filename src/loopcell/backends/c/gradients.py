"""What is left of a gradient after the reverse loop: large products, each done once for the whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.weights import Part
from loopcell.passes.derive import Backward


@dataclass(frozen=True)
class Column:
    """Where a cotangent lies in the block [N, width] that the reverse loop writes: `start` and `count` columns."""

    start: int
    count: int


def lay_out(keys: list[str], count: Callable[[str], int]) -> dict[str, Column]:
    """Put cotangents side by side, in order."""
    columns: dict[str, Column] = {}
    start = 0
    for key in keys:
        columns[key] = Column(start, count(key))
        start += columns[key].count
    return columns


@dataclass(frozen=True)
class _Run:
    """Products with one operand whose cotangents and matrices both lie side by side: one product does them all."""

    operand: str
    base: int
    rows: Column
    columns: Column


class MatrixGradients:
    """The gradients of matrices, and of the input through them, from the block of cotangents.

    Args:
        backward: the reverse step.
        parts: of which parts of the bases each parameter is the sum.
        lengths: the first axis of each base.
        columns: where each cotangent lies.
    """

    def __init__(
        self,
        backward: Backward,
        parts: Mapping[str, tuple[Part, ...]],
        lengths: Sequence[int],
        columns: Mapping[str, Column],
    ) -> None:
        self.parts = parts
        self.lengths = lengths
        self.outer = list(self._runs((o.operand, o.parameter, columns[o.cotangent]) for o in backward.outer))
        self.into_input = list(self._runs(("input", p.parameter, columns[p.cotangent]) for p in backward.into_input))

    def of_matrices(
        self, block: Tensor, operand: Callable[[str], Tensor], bases: Sequence[Tensor], wanted: Sequence[bool]
    ) -> dict[int, Tensor]:
        """Return by number of the base the sums over time and batch of d v^T."""
        found: dict[int, Tensor] = {}
        for run in self.outer:
            if not wanted[run.base]:
                continue
            d = block[:, run.columns.start : run.columns.start + run.columns.count]
            v = operand(run.operand)
            if run.rows.count == self.lengths[run.base]:
                product = d.t() @ v
                found[run.base] = found[run.base].add_(product) if run.base in found else product
                continue
            base = found.get(run.base)
            if base is None:
                base = found[run.base] = torch.zeros_like(bases[run.base], memory_format=torch.contiguous_format)
            rows = base.narrow(0, run.rows.start, run.rows.count)
            rows.addmm_(d.t(), v)
        return found

    def of_input(self, block: Tensor, start: Tensor | None, bases: Sequence[Tensor]) -> Tensor | None:
        """Return [N, I]: `start` and the sum of P^T d; None where nothing reaches the input."""
        gradient = start
        for run in self.into_input:
            d = block[:, run.columns.start : run.columns.start + run.columns.count]
            matrix = bases[run.base].detach().narrow(0, run.rows.start, run.rows.count)
            gradient = d @ matrix if gradient is None else gradient.addmm_(d, matrix)
        return gradient

    def _runs(self, products: Iterator[tuple[str, str, Column]]) -> Iterator[_Run]:
        single = [
            _Run(operand, part.base, Column(part.start, self._count(part.base, part.count)), column)
            for operand, name, column in products
            for part in self.parts[name]
        ]
        single.sort(key=lambda run: (run.operand, run.base, run.columns.start))
        last: _Run | None = None
        for run in single:
            if last is not None and _follows(last, run):
                last = _joined(last, run)
                continue
            if last is not None:
                yield last
            last = run
        if last is not None:
            yield last

    def _count(self, base: int, count: int) -> int:
        return self.lengths[base] if count < 0 else count


def _follows(last: _Run, run: _Run) -> bool:
    return (
        (last.operand, last.base) == (run.operand, run.base)
        and last.rows.start + last.rows.count == run.rows.start
        and last.columns.start + last.columns.count == run.columns.start
    )


def _joined(last: _Run, run: _Run) -> _Run:
    rows = Column(last.rows.start, last.rows.count + run.rows.count)
    columns = Column(last.columns.start, last.columns.count + run.columns.count)
    return _Run(last.operand, last.base, rows, columns)
