"""Windows over time series: a history to read and a horizon to forecast, cut when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data.series.frames import Series
from loopcell.errors import DataError, UsageError


class Window(NamedTuple):
    """One place to forecast from. Views of float64; h is the history, f the horizon.

    Attributes:
        target: `[h, K]`, up to now.
        past: `[h, Q]`, covariates up to now.
        known: `[h + f, P]`, covariates of which the future is known.
        future: `[f, K]`, what is to be forecast.
        series: which series this is.
        now: the index of the first step of the future.
    """

    target: npt.NDArray[np.float64]
    past: npt.NDArray[np.float64]
    known: npt.NDArray[np.float64]
    future: npt.NDArray[np.float64]
    series: int
    now: int


class WindowBatch(NamedTuple):
    """B windows as tensors, time first: `[h, B, K]`, `[h, B, Q]`, `[h + f, B, P]`, `[f, B, K]`."""

    target: Tensor
    past: Tensor
    known: Tensor
    future: Tensor


class Windows(Sequence[Window]):
    """All windows of some series, in the order of series and time; nothing is copied until one is asked for.

    Attributes:
        too_short: the names of the series that are too short for a window.
    """

    def __init__(
        self,
        series: Sequence[Series],
        *,
        history: int,
        horizon: int,
        stride: int = 1,
        span: slice = slice(None),
    ) -> None:
        """Plan the windows.

        Args:
            series: what to cut them from.
            history: steps to read, h.
            horizon: steps to forecast, f.
            stride: steps from one window to the next.
            span: the steps that may be forecast; the history may reach back before it, so a test part loses
                no steps. Counted in each series as a slice counts: `slice(-100, None)` is the last 100 steps.

        Raises:
            UsageError: a size is below 1.
            DataError: every series is too short for even one window.
        """
        if min(history, horizon, stride) < 1:
            raise UsageError(f"history, horizon and stride are at least 1, got {history}, {horizon} and {stride}")
        self.series, self.history, self.horizon = list(series), history, horizon
        ranges = [_starts(len(one), history, horizon, stride, span) for one in self.series]
        self.too_short = tuple(one.name for one, found in zip(self.series, ranges, strict=True) if not found)
        self._ranges = ranges
        self._ends = np.cumsum([len(found) for found in ranges])
        if not len(self):
            longest = max((len(one) for one in self.series), default=0)
            raise DataError(
                f"there is no window: a history of {history} and a horizon of {horizon} need "
                f"{history + horizon} steps, and the longest series has {longest}"
                + (f" (steps {_shown(span)} are asked for)" if span != slice(None) else "")
            )

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: Any) -> Any:
        """Return window `index`; a slice gives a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        number = int(np.searchsorted(self._ends, at, side="right"))
        now = self._ranges[number][at - int(self._ends[number - 1] if number else 0)]
        one, start, stop = self.series[number], now - self.history, now + self.horizon
        return Window(
            one.target[start:now], one.past[start:now], one.known[start:stop], one.target[now:stop], number, now
        )

    def batch(self, indices: Iterable[int], *, dtype: torch.dtype = torch.float32) -> WindowBatch:
        """Put the windows at `indices` side by side.

        Args:
            indices: which windows.
            dtype: of the tensors. Numbers far from zero are rounded by float32 (around 1e9 to multiples of 64): take
                torch.float64, scale them, and go on with `.float()` of what comes out.
        """
        chosen = [self[int(index)] for index in indices]
        return WindowBatch(*(_tensor([window[part] for window in chosen]).to(dtype) for part in range(4)))


def _starts(steps: int, history: int, horizon: int, stride: int, span: slice) -> range:
    """Return the first steps of the futures."""
    first, last, _ = span.indices(steps)
    return range(max(first, history), last - horizon + 1, stride)


def _shown(span: slice) -> str:
    return f"{'' if span.start is None else span.start}:{'' if span.stop is None else span.stop}"


def _tensor(arrays: list[npt.NDArray[np.float64]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays, axis=1))
