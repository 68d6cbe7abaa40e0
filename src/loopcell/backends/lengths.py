"""Lengths: where the rows of a batch end, and where they start afresh.

The one value for this on every floor. Layers check what a caller gave and make it; both back ends read it, each in the
form that suits it: the reference path as a mask over [T, B], kernels as an order of the rows. These forms are computed
where somebody asks for them, and once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Lengths:
    """The ends of the rows of a batch, and the steps at which they start afresh.

    Nobody writes to the tensors afterwards, since what is computed from them is remembered.

    Attributes:
        steps: T.
        lengths: int64 [B], or None where every row is T long.
        reset: bool [T, B], true where a row's state becomes 0 before the step; never past a row's end. Or None.
    """

    steps: int
    lengths: Int64[Tensor, " B"] | None = None
    reset: Bool[Tensor, "T B"] | None = None
    _mask: Bool[Tensor, "T B"] | None = field(default=None, repr=False)
    _host: Int64[Tensor, " B"] | None = field(default=None, repr=False)

    @property
    def on_host(self) -> Int64[Tensor, " B"] | None:
        """The lengths in the CPU's memory, where they are there without waiting for another device; else None."""
        return self.lengths if self.lengths is None or self.lengths.device.type == "cpu" else self._host

    def to_host(self) -> Int64[Tensor, " B"] | None:
        """Return the lengths in the CPU's memory; where they lie on another device alone this waits for it, once."""
        if self.on_host is None and self.lengths is not None:
            object.__setattr__(self, "_host", self.lengths.cpu())  # as in `mask`
        return self.on_host

    @property
    def mask(self) -> Bool[Tensor, "T B"] | None:
        """True where there is something to compute; None where that is everywhere."""
        if self._mask is None and self.lengths is not None:
            steps = torch.arange(self.steps, device=self.lengths.device).unsqueeze(1)
            # No cached_property: its lock (Python 3.11) is nothing that torch.compile can read.
            object.__setattr__(self, "_mask", steps < self.lengths)
        return self._mask

    def with_reset(self, reset: Bool[Tensor, "T B"] | None) -> Lengths:
        """Return the same lengths with other resets, none of them past a row's end; the mask is made once for both."""
        if reset is not None and self.mask is not None:
            reset = reset & self.mask  # what lies there is no episode of this row
        return Lengths(self.steps, self.lengths, reset, self.mask, self._host)

    def segment(self, start: int, stop: int) -> Lengths:
        """Return the lengths and resets between two steps."""
        lengths = None if self.lengths is None else (self.lengths - start).clamp(0, stop - start)
        host = None if self._host is None else (self._host - start).clamp(0, stop - start)
        return Lengths(stop - start, lengths, None if self.reset is None else self.reset[start:stop], None, host)

    def without_padding(self, x: Float[Tensor, "T B I"]) -> Float[Tensor, "T B I"]:
        """Return the input with zeros past every row's end, where a NaN would enter the gradients as 0 * NaN."""
        return x if self.mask is None else torch.where(self.mask.unsqueeze(-1), x, 0.0)

    # -- reading backwards -----------------------------------------------------------------------------

    def reversed(self) -> Lengths:
        """Return the rows as the reverse direction reads them: of the same lengths, resets where episodes end."""
        if self.reset is None:
            return self
        starts_next = torch.cat([self.reset[1:], torch.zeros_like(self.reset[:1])])
        return Lengths(self.steps, self.lengths, self.reverse(starts_next), self.mask, self._host)

    def reverse(self, x: Shaped[Tensor, "T B *rest"]) -> Shaped[Tensor, "T B *rest"]:
        """Return [T, B, ...] with every row's valid part reversed; its own inverse."""
        if self.lengths is None:
            return x.flip(0)
        time = torch.arange(self.steps, device=x.device).unsqueeze(1)
        lengths = self.lengths.to(x.device).clamp(max=self.steps)  # nobody has looked at those on a GPU
        # Step t of a row of length n comes from step n - 1 - t; padding stays where it is.
        source = torch.where(time < lengths, lengths - 1 - time, time)
        if x.dim() > source.dim():
            source = source.unsqueeze(-1).expand(-1, -1, *x.shape[2:])
        return x.gather(0, source)

    # -- the order in which kernels take the rows ------------------------------------------------------

    @property
    def order(self) -> Int64[Tensor, " B"] | None:
        """The rows, those that run longest first; None where all are T long.

        In this order the rows that still run at a step are always the first ones: a kernel works on a shrinking block,
        and neither computes padding nor saves it.
        """
        return None if self._sorted is None else self._sorted[1]

    @property
    def sorted_lengths(self) -> Int64[Tensor, " B"] | None:
        """The lengths in that order; None where all rows are T long."""
        return None if self._sorted is None else self._sorted[0]

    @cached_property
    def valid_steps(self) -> int:
        """The number of steps of all rows together, where some end early."""
        return 0 if self._sorted is None else int(self._sorted[0].sum())

    @property
    def first_rows(self) -> Int64[Tensor, " T_plus_1"] | None:
        """The number of steps of all rows before each step, [T + 1]: where its rows begin in saved tensors [N, n]."""
        return self._first_rows

    @property
    def index(self) -> Int64[Tensor, " N"] | None:
        """The position in [T * B] of every valid step of every row, in the order of computation."""
        return self._index

    @cached_property
    def _sorted(self) -> tuple[Tensor, Tensor] | None:
        if self.lengths is None or not self.lengths.numel() or int(self.lengths.min()) >= self.steps:
            return None
        # Stable, so that rows of one length keep their order and the same batch gives the same bits each time.
        lengths, rows = self.lengths.clamp(max=self.steps).sort(descending=True, stable=True)
        return lengths.contiguous(), rows.contiguous()

    @cached_property
    def _runs(self) -> Tensor | None:
        """True where a row has a step, [T, B], in the sorted order."""
        if self._sorted is None:
            return None
        lengths = self._sorted[0]
        # The device is named, since torch.set_default_device may say another.
        return torch.arange(self.steps, device=lengths.device).unsqueeze(1) < lengths

    @cached_property
    def _first_rows(self) -> Tensor | None:
        if self._runs is None:
            return None
        first = torch.zeros(self.steps + 1, dtype=torch.int64, device=self._runs.device)
        torch.cumsum(self._runs.sum(1), 0, out=first[1:])
        return first

    @cached_property
    def _index(self) -> Tensor | None:
        if self._sorted is None or self._runs is None:
            return None
        rows = self._sorted[1]
        return (torch.arange(self.steps, device=rows.device).unsqueeze(1) * len(rows) + rows)[self._runs]
