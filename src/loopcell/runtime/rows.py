"""Where the rows of a batch end and start afresh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from loopcell.backends.reference import Masks


@dataclass(frozen=True)
class Order:
    """The rows of a batch, those that run longest first; a kernel works on what still runs, and on nothing else.

    Attributes:
        rows: int64 [B].
        length: int64 [B], in that order.
        first: int64 [T + 1], the number of steps of all rows before each step.
        index: int64 [N], the place in [T * B] of every step of every row, in the order of computation.
    """

    rows: Tensor
    length: Tensor
    first: Tensor
    index: Tensor


@dataclass(frozen=True)
class Rows:
    """Where the rows of a batch end and start afresh.

    Attributes:
        steps: T.
        lengths: int64 [B], or None where every row is T long.
        reset: bool [T, B], true where a row's state becomes 0 before the step; never past a row's end. Or None.
    """

    steps: int
    lengths: Int64[Tensor, " B"] | None = None
    reset: Bool[Tensor, "T B"] | None = None

    def valid(self) -> Bool[Tensor, "T B"] | None:
        """Return where there is something to compute; None where everywhere."""
        if self.lengths is None:
            return None
        return torch.arange(self.steps, device=self.lengths.device).unsqueeze(1) < self.lengths

    def part(self, start: int, stop: int) -> Rows:
        """Return the rows between two steps."""
        lengths = None if self.lengths is None else (self.lengths - start).clamp(0, stop - start)
        return Rows(stop - start, lengths, None if self.reset is None else self.reset[start:stop])

    def masks(self) -> Masks:
        """Return the same as masks over [T, B]."""
        return Masks(self.valid(), self.reset)

    @property
    def order(self) -> Order | None:
        """The rows sorted by length; None where all are T long."""
        return None if self.lengths is None else self._sorted

    @cached_property
    def _sorted(self) -> Order | None:
        assert self.lengths is not None  # `order` has looked
        if not self.lengths.numel() or int(self.lengths.min()) >= self.steps:
            return None
        device = self.lengths.device  # named, since torch.set_default_device may say another
        length, rows = self.lengths.clamp(max=self.steps).sort(descending=True, stable=True)
        runs = torch.arange(self.steps, device=device).unsqueeze(1) < length  # [T, B], in that order
        first = torch.zeros(self.steps + 1, dtype=torch.int64, device=device)
        torch.cumsum(runs.sum(1), 0, out=first[1:])
        places = torch.arange(self.steps, device=device).unsqueeze(1) * len(rows) + rows
        return Order(rows.contiguous(), length.contiguous(), first, places[runs])

    @property
    def plain_reset(self) -> Bool[Tensor, "T B"] | None:
        """The resets in one piece, as kernels read them."""
        return None if self.reset is None else self.reset.contiguous()
