"""Examples to train on: segments of a series in which every step is a place to forecast from.

An example is h steps that are only read, and after each of up to h further ones a forecast that counts ("forking
sequences": Wen et al.: A Multi-Horizon Quantile Recurrent Forecaster, 2017, arXiv 1711.11053). So an epoch scores every
step about once, and reads every step twice. A network that reads each window anew has one forecast an example instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.tasks.core.estimator import Examples
from loopcell.tasks.core.estimator.examples import Indices, fingerprint
from loopcell.tasks.forecasting.scaled import ScaledSeries


class SeriesBatch(NamedTuple):
    """Segments of series side by side, time first; zero past each one's end.

    Attributes:
        values: [h + m - 1 + f, B, K], on the scale of each series; NaN where missing.
        known: [h + m - 1 + f, B, P]; past: [h + m - 1 + f, B, Q].
        scale: [B, K], what the values were divided by.
        origins: int64 [B], at how many steps a forecast counts, from the h-th step on.
    """

    values: Tensor
    known: Tensor
    past: Tensor
    scale: Tensor
    origins: Tensor


class Segment(NamedTuple):
    """Forecasts of one series that count.

    Attributes:
        series: its number.
        start, stop: the first steps of the futures are `start:stop`.
        earlier, later: by how many steps the segment may be moved.
    """

    series: int
    start: int
    stop: int
    earlier: int
    later: int

    def moved(self) -> Segment:
        """Move the segment by up to half of itself earlier or later, as drawn."""
        half = (self.stop - self.start) // 2
        shift = int(torch.randint(-min(half, self.earlier), min(half, self.later) + 1, ()))
        return self._replace(start=self.start + shift, stop=self.stop + shift)


class SeriesExamples(Examples[SeriesBatch]):
    """Segments of several series.

    Args:
        series: all of them.
        spans: of each series, the first steps of the futures that count: from, to.
        history: h.
        steps: f, how many steps a forecast has.
        origins: how many forecasts of a segment count, at most; None for h.
        moving: draw anew each time where a segment begins and ends, as training likes it.
    """

    def __init__(
        self,
        series: Sequence[ScaledSeries],
        spans: Sequence[tuple[int, int]],
        history: int,
        steps: int,
        *,
        origins: int | None = None,
        moving: bool = False,
    ) -> None:
        self.series, self.history, self.steps, self.moving = series, history, steps, moving
        self.segments = [
            Segment(number, start, stop, start - max(first, history), last - stop)
            for number, (first, last) in enumerate(spans)
            for start, stop in _pieces(max(first, history), last, origins or history)
            if not np.isnan(series[number].values[start : stop - 1 + steps]).all()  # nothing to learn from
        ]
        self.lengths = np.array(
            [history + part.stop - part.start - 1 + steps for part in self.segments], dtype=np.int64
        )

    def places(self) -> Iterator[tuple[ScaledSeries, npt.NDArray[np.int64]]]:
        """Yield each series and the first steps of its futures that count."""
        for number, parts in groupby(self.segments, lambda part: part.series):
            yield self.series[number], np.concatenate([np.arange(part.start, part.stop) for part in parts])

    def fingerprint(self) -> str:
        """Return a hash of all values and covariates, in their own units, and of where forecasts count."""
        arrays = [part for one in self.series for part in (one.series.target, one.series.known, one.series.past)]
        arrays += [one.series.static for one in self.series if len(one.series.static)]
        return fingerprint(*arrays, np.array(self.segments, dtype=np.int64))

    def batch(self, indices: Indices) -> SeriesBatch:
        """Put some segments side by side."""
        parts = [self.segments[int(index)] for index in indices]
        parts = [part.moved() for part in parts] if self.moving else parts
        longest = int(self.lengths[indices].max())
        with np.errstate(over="ignore"):  # only heads of counts ask for it, and these are not that large
            scale = np.stack([self.series[part.series].scale.size for part in parts]).astype(np.float32)
        return SeriesBatch(
            self._side_by_side("values", parts, longest),
            self._side_by_side("known", parts, longest),
            self._side_by_side("past", parts, longest),
            torch.from_numpy(scale),
            torch.tensor([part.stop - part.start for part in parts]),
        )

    def _side_by_side(self, name: str, parts: Sequence[Segment], longest: int) -> Tensor:
        rows = [getattr(self.series[part.series], name) for part in parts]
        found = np.zeros((longest, len(parts), rows[0].shape[1]), dtype=np.float32)
        for row, (values, part) in enumerate(zip(rows, parts, strict=True)):
            cut = values[part.start - self.history : part.stop - 1 + self.steps]
            found[: len(cut), row] = cut
        return torch.from_numpy(found)


def short_ones(series: Sequence[ScaledSeries], training: SeriesExamples) -> list[str]:
    """Return a sentence about series that nothing was learned from."""
    used = {part.series for part in training.segments}
    short = [one.series.name for number, one in enumerate(series) if number not in used]
    if not short:
        return []
    needed = f"{training.history} + {training.steps} steps"
    return [
        f"{len(short):,} of {len(series):,} series are too short to learn from ({needed}), the first is {short[0]!r}"
    ]


def _pieces(first: int, last: int, size: int) -> list[tuple[int, int]]:
    """Cut first:last into pieces of at most `size`, full ones at the end, where the newest data are."""
    return [(max(stop - size, first), stop) for stop in range(last, first, -size)][::-1]
