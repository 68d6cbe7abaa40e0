"""What is left of a gradient after the reverse loop: large products, each done once for the whole sequence."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.launch.kernels import FEW_ROWS, Kernels
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
        kernels: where the function for few steps lies.
    """

    def __init__(
        self,
        backward: Backward,
        parts: Mapping[str, tuple[Part, ...]],
        lengths: Sequence[int],
        columns: Mapping[str, Column],
        kernels: Kernels,
    ) -> None:
        self.kernels = kernels
        self.parts = parts
        self.lengths = lengths
        self.outer = list(self._runs((o.operand, o.parameter, columns[o.cotangent]) for o in backward.outer))
        self.into_input = list(self._runs(("input", p.parameter, columns[p.cotangent]) for p in backward.into_input))

    def of_matrices(
        self, block: Tensor, operand: Callable[[str], Tensor], bases: Sequence[Tensor], wanted: Sequence[bool]
    ) -> dict[int, Tensor]:
        """Return by number of the base the sums over time and batch of d v^T."""
        if block.shape[0] <= FEW_ROWS:
            return self._of_few(block, operand, bases, wanted)
        block, seen = self._rounded(block), dict[str, Tensor]()
        found: dict[int, Tensor] = {}
        for run in self.outer:
            if not wanted[run.base]:
                continue
            if run.operand not in seen:
                seen[run.operand] = self._rounded(operand(run.operand))
            d, v = _columns(block, run.columns), seen[run.operand]
            if run.base not in found and run.rows.count == self.lengths[run.base]:
                found[run.base] = torch.mm(d.t(), v).to(bases[run.base].dtype)
                continue
            rows = self._rows(found, run, bases[run.base])
            if self.kernels.bf16:
                rows += torch.mm(d.t(), v)
            else:
                rows.addmm_(d.t(), v)
        return found

    def of_input(self, block: Tensor, start: Tensor | None, bases: Sequence[Tensor]) -> Tensor | None:
        """Return [N, I]: `start` and the sum of P^T d; None where nothing reaches the input."""
        gradient, dtype = start, block.dtype
        block = self._rounded(block) if self.into_input else block
        for run in self.into_input:
            d = _columns(block, run.columns)
            matrix = self._rounded(bases[run.base].detach().narrow(0, run.rows.start, run.rows.count))
            if gradient is None:
                gradient = torch.mm(d, matrix).to(dtype)
            elif self.kernels.bf16:
                gradient += torch.mm(d, matrix)
            else:
                gradient.addmm_(d, matrix)
        return gradient

    def _of_few(
        self, block: Tensor, operand: Callable[[str], Tensor], bases: Sequence[Tensor], wanted: Sequence[bool]
    ) -> dict[int, Tensor]:
        """Return the same for few steps in all, in one call."""
        found: dict[int, Tensor] = {}
        asked = array("q", [0, block.shape[0]])
        alive = []
        for run in self.outer:
            if not wanted[run.base]:
                continue
            d, v = _columns(block, run.columns), operand(run.operand)
            new = run.base not in found and run.rows.count == self.lengths[run.base]
            if new:
                found[run.base] = torch.empty_like(bases[run.base], memory_format=torch.contiguous_format)
            rows = self._rows(found, run, bases[run.base])
            asked[0] += 1
            asked.extend(_outer_product(d, v, rows, add=not new))
            alive += [d, v]
        if asked[0]:
            self.kernels.run("outer_products", asked)
        return found

    def _rows(self, found: dict[int, Tensor], run: _Run, base: Tensor) -> Tensor:
        """Return the rows of a base's gradient to which a product belongs; the gradient starts at 0."""
        gradient = found.get(run.base)
        if gradient is None:
            gradient = found[run.base] = torch.zeros_like(base, memory_format=torch.contiguous_format)
        if run.rows.count == self.lengths[run.base]:
            return gradient
        return gradient.narrow(0, run.rows.start, run.rows.count)

    def _rounded(self, tensor: Tensor) -> Tensor:
        """Return what products multiply: numbers as they are, or rounded to bfloat16."""
        return tensor.bfloat16() if self.kernels.bf16 else tensor

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


def _outer_product(d: Tensor, v: Tensor, to: Tensor, *, add: bool) -> tuple[int, ...]:
    """Return an `outer_product` of headers/gradients.h: what to[i, j] is the sum of, over the steps."""
    (_, rows), (_, columns) = d.shape, v.shape
    return (d.data_ptr(), v.data_ptr(), d.stride(0), v.stride(0), to.data_ptr(), to.stride(0), rows, columns, add)


def _columns(block: Tensor, column: Column) -> Tensor:
    """Return some columns of a block, or the block: a call to torch costs more than a small product."""
    return block if column.count == block.shape[1] else block.narrow(1, column.start, column.count)


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
