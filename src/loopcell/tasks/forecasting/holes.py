"""Values that are missing: what a network reads in their place, from what was known at each step.

A missing value is NaN. Along the time axis the newest value that came is carried on, and with it the time since then,
its age: 0 for a value that is there, infinite before any came. A window of the last d values is filled by one of:

    mask          nothing: the newest value, from which a network takes differences
    ffill         the value that came before it
    interpolate   a straight line between the values around it, of those within the window

so that no window holds what came after it. Mask and age as inputs: Che, Purushotham, Cho, Sontag, Liu: Recurrent Neural
Networks for Multivariate Time Series with Missing Values, 2018 (arXiv 1606.01865), section 2.2.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.tasks.forecasting.settings import FillName

OLDEST = 1000.0  # steps, the largest age that a network is told


class NewestValues(NamedTuple):
    """Values without holes.

    Attributes:
        values: [T, B, K].
        ages: [T, B, K], how long ago each of them came; None where all are there.
        passed: [T, B], the time from the step before; None where it is 1 everywhere.
    """

    values: Tensor
    ages: Tensor | None
    passed: Tensor | None = None

    def last_ages(self, count: int) -> Tensor | None:
        """Return the ages of the last values."""
        return None if self.ages is None else self.ages[-count:]

    def last_passed(self, count: int) -> Tensor | None:
        """Return the times between the last values."""
        return None if self.passed is None else self.passed[-count:]


def begun(first: Tensor, count: int) -> NewestValues:
    """Return `count` steps before the first values [B, K]: as if these had always been there."""
    missing = first.isnan()
    values = first.masked_fill(missing, 0.0).expand(count, *first.shape)
    if not bool(missing.any()):
        return NewestValues(values, None)
    ages = torch.zeros_like(first).masked_fill(missing, torch.inf)
    return NewestValues(values, ages.expand(count, *first.shape))


def carried_on(before: NewestValues, values: Tensor, passed: Tensor | None) -> NewestValues:
    """Go on with values [T, B, K], of which some are missing; what came before is part of the result.

    Args:
        before: of the last steps, at least one.
        values: NaN where missing.
        passed: [T, B], the time from step to step; None for 1.
    """
    there = ~values.isnan()
    times = _times_passed(before, values, passed)
    if before.ages is None and bool(there.all()):
        return NewestValues(torch.cat([before.values, values]), None, times)
    ages = torch.zeros_like(before.values) if before.ages is None else before.ages
    steps = torch.arange(1, len(values) + 1, device=values.device)[:, None, None]
    source = torch.cat([before.values[-1:], values])
    newest = source.gather(0, torch.where(there, steps, 0).cummax(0).values)
    now = steps.to(values.dtype) if passed is None else passed.cumsum(0).unsqueeze(-1)
    last = torch.where(there, now, -torch.inf).cummax(0).values
    since = now - torch.maximum(last, -ages[-1:])
    return NewestValues(torch.cat([before.values, newest]), torch.cat([ages, since]), times)


def _times_passed(before: NewestValues, values: Tensor, passed: Tensor | None) -> Tensor | None:
    """Return the time from step to step before and along values [T, B, K]; where it is not known, 1."""
    if passed is None and before.passed is None:
        return None
    first, now = (part.new_ones(part.shape[:2]) for part in (before.values, values))
    return torch.cat([first if before.passed is None else before.passed, now if passed is None else passed])


def windows_of(seen: NewestValues, size: int, how: FillName) -> tuple[Tensor, Tensor | None]:
    """Return the last `size` values at each step after the first `size` ones, [T, B, K, size], filled; their ages."""
    windows = seen.values.unfold(0, size, 1)[1:]
    ages = None if seen.ages is None else seen.ages.unfold(0, size, 1)[1:]
    passed = None if seen.passed is None else seen.passed.unfold(0, size, 1)[1:].unsqueeze(2)
    return _filled(windows, ages, passed, how), ages


def _filled(windows: Tensor, ages: Tensor | None, passed: Tensor | None, how: FillName) -> Tensor:
    """Return windows [..., d] of carried values, filled; `ages` and the times between their steps are theirs."""
    if ages is None:
        return windows
    newest = windows[..., -1:]
    if how == "mask":
        return torch.where(ages == 0, windows, newest)
    windows = torch.where(ages.isinf(), newest, windows)
    return windows if how == "ffill" else _interpolated(windows, ages, passed)


def told(ages: Tensor | None, like: Tensor) -> Tensor:
    """Return which values of windows [..., d] are there, and the logarithm of the newest one's age: [..., d + 1]."""
    if ages is None:
        return torch.cat([torch.ones_like(like), torch.zeros_like(like[..., :1])], -1)
    return torch.cat([(ages == 0).to(like.dtype), logged(ages[..., -1:])], -1)


def logged(ages: Tensor) -> Tensor:
    """Return log(1 + age), as a network is told it."""
    return ages.clamp(max=OLDEST).log1p()


def _interpolated(windows: Tensor, ages: Tensor, passed: Tensor | None) -> Tensor:
    """Return windows of carried values with straight lines in time to the next value in the window, if there is one.

    With the age a of a value and the time b to the next one, it is the share a / (a + b) of the way there.
    """
    size = windows.shape[-1]
    steps = torch.arange(size, device=windows.device)
    after = torch.where(ages == 0, steps, size).flip(-1).cummin(-1).values.flip(-1)
    times = (torch.ones_like(windows) if passed is None else passed.expand_as(windows)).cumsum(-1)
    following, then = (part.gather(-1, after.clamp(max=size - 1)) for part in (windows, times))
    ahead = then - times
    share = torch.where(ages.isinf(), 1.0, ages / (ages + ahead))
    between = windows + share.nan_to_num(1.0) * (following - windows)
    return torch.where((ages > 0) & (after < size), between, windows)
