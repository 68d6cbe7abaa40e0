"""Memory: tensors in the form in which kernels read them, and room for what they write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.triton.codegen.slots import ONE, Access, Slot
from loopcell.equations.keys import Key


@dataclass(frozen=True, eq=False)
class Shape:
    """The shape of a call.

    Attributes:
        lengths: where rows end and start afresh.
        batch: B.
        sizes: every size by name.
    """

    lengths: Lengths
    batch: int
    sizes: Mapping[str, int]

    @property
    def steps(self) -> int:
        """T."""
        return self.lengths.steps

    def width(self, size: str) -> int:
        """Return the length of a vector; 1 of a scalar."""
        return 1 if size == ONE else self.sizes[size]

    def empty(self, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return room for what has a row at every step; zeros where kernels leave out the steps past a row's end."""
        return like.new_empty(shape) if self.lengths.lengths is None else like.new_zeros(shape)


def readable(slot: Slot, tensor: Tensor, shape: Shape) -> Tensor:
    """Return a tensor as a slot reads it: the same, if it can be."""
    n = shape.width(slot.size)
    if slot.access is Access.SEQUENCE:
        return _rows_at_one_stride(tensor.expand(shape.steps, shape.batch, n))
    if slot.access is Access.ROW:
        return tensor.expand(shape.batch, n).contiguous()
    if slot.access is Access.WHOLE:
        return tensor.expand(n).contiguous()
    if slot.access is Access.MATRIX and tensor.stride(-1) != 1:
        return tensor.contiguous()
    return tensor


def _rows_at_one_stride(tensor: Tensor) -> Tensor:
    steps, batch, width = tensor.shape
    by_step, by_row, by_unit = tensor.stride()
    in_order = (width == 1 or by_unit == 1) and (steps == 1 or batch == 1 or by_step == batch * by_row)
    return tensor if in_order else tensor.contiguous()


def row_stride(slot: Slot, tensor: Tensor) -> int:
    """Return the numbers from row to row."""
    if slot.access is Access.MATRIX:
        return tensor.stride(0)
    return tensor.stride(0) if tensor.shape[1] == 1 else tensor.stride(1)


@dataclass(frozen=True)
class Columns:
    """Tensors [T, B, n] side by side in one block.

    Attributes:
        ranges: (start, count) of each, by key.
        width: of the block.
    """

    ranges: Mapping[Key, tuple[int, int]]
    width: int

    @classmethod
    def of(cls, keys: Iterable[tuple[Key, str]], shape: Shape) -> Columns:
        """Give every key, with its size, columns in order."""
        ranges, start = {}, 0
        for key, size in keys:
            ranges[key] = (start, shape.width(size))
            start += shape.width(size)
        return cls(ranges, start)

    def take(self, block: Tensor, key: Key) -> Tensor:
        """Return the tensor of a key."""
        return block.narrow(-1, *self.ranges[key])


def as_bytes(flags: Tensor | None) -> Tensor | None:
    """Return flags as kernels read them."""
    return None if flags is None else flags.contiguous().view(torch.uint8)
