"""The further inputs of a cell that a network of forecasts has: which values are missing, and the time since others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.tasks.forecasting.holes import OLDEST, NewestValues


class Steps(NamedTuple):
    """The values read at T steps of B series.

    Attributes:
        seen: the values without holes, those before the first step too, [d + T, B, K], and their ages.
        lags: d.
        passed: [T, B], the time from the step before.
        columns: of a row, of which there are R = B * K / columns.
        told: how many numbers of a row's column follow its d + 1 values.
        width: I, of a row's inputs.
    """

    seen: NewestValues
    lags: int
    passed: Tensor
    columns: int
    told: int
    width: int

    def since(self) -> Tensor:
        """Return the time since the last observation before each step, of each value of the window, [T, B, K, d]."""
        return self._ages()[:-1].clamp(max=OLDEST) + self.passed[..., None, None]

    def there(self) -> Tensor:
        """Return which values of the window are there, zeros and ones [T, B, K, d]."""
        return (self._ages()[1:] == 0).to(self.passed.dtype)

    def by_input(self, windows: Tensor, others: Tensor) -> Tensor:
        """Put windows [T, B, K, d] beside the inputs [T, R, I]; of what is no value stand `others` [T, B]."""
        count, rows = len(windows), windows.shape[1] * windows.shape[2] // self.columns
        told = others[..., None, None].expand(*windows.shape[:3], self.told)
        own = torch.cat([windows, windows[..., -1:], told], -1).reshape(count, rows, -1)
        more = others.repeat_interleave(rows // others.shape[1], 1).unsqueeze(-1)
        return torch.cat([own, more.expand(-1, -1, self.width - own.shape[-1])], -1)

    def by_row(self, windows: Tensor, least: bool = True) -> Tensor:
        """Return one number a row, [T, R]: of the newest values of its columns the smallest, or the largest."""
        newest = windows[..., -1].reshape(len(windows), -1, self.columns)
        return newest.amin(-1) if least else newest.amax(-1)

    def _ages(self) -> Tensor:
        ages = torch.zeros_like(self.seen.values) if self.seen.ages is None else self.seen.ages
        return ages.unfold(0, self.lags, 1)


def inputs_of(asked: dict[str, bool], steps: Steps, like: Tensor) -> dict[str, Tensor]:
    """Return the inputs of a call that a cell asks for, as `inputs_asked` gave them.

    A number of the input is missing where the value is that it is made of; what is no value is always there. Where a
    row has one number it is there with any of its columns, and its time is that since the newest of them.
    """
    found = dict[str, Tensor]()
    if "mask" in asked:
        there = steps.there()
        whole = (
            steps.by_input(there, torch.ones_like(steps.passed)) if asked["mask"] else steps.by_row(there, least=False)
        )
        found["mask"] = whole.to(like.dtype)
    if "dt" in asked:
        since = steps.since()
        found["dt"] = (steps.by_input(since, steps.passed) if asked["dt"] else steps.by_row(since)).to(like.dtype)
    return found
