"""A paper's split: where the training, the validation and the test part of a series end.

The parts follow each other in time. A forecast goes by the history before it, which may lie in the part before: so a
test part of T steps has T - f + 1 forecasts of f steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from loopcell.data import Series
from loopcell.errors import DataError
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.forecasting.scaled import of
from loopcell.tasks.forecasting.starts import first_after

PARTS = ("training", "validation", "test")


def ends_of(series: Series, split: Sequence[Any], horizon: int) -> tuple[int, ...]:
    """Return the steps before which the two or three parts of a series end.

    Args:
        series: it.
        split: numbers of rows, shares of all rows, or times, as in `ForecasterSettings`.
        horizon: f, the least length of a part that anything is forecast in.

    Raises:
        DataError: a part is not there, or shorter than one forecast.
        UsageError: a time is none.
    """
    steps = series.steps
    ends = _ends(series, split, steps)
    if ends[-1] > steps:
        wanted = " + ".join(f"{part:,}" for part in split)
        raise DataError(f"{of(series.name)} has {steps:,} steps, and the split asks for {wanted} = {ends[-1]:,}")
    for part, start, end in zip(PARTS, (0, *ends), ends, strict=False):
        if end - start < horizon:
            raise DataError(
                f"{of(series.name)}: the split leaves {max(0, end - start):,} steps for {part}, and one forecast has "
                f"{horizon} (horizon)"
            )
    return ends


def span_of(series: Series, split: Sequence[Any], horizon: int) -> tuple[int, int]:
    """Return the first step of the part to score, and the step before which it ends: of test, or else validation."""
    ends = ends_of(series, split, horizon)
    return ends[-2], ends[-1]


def of_part(score: ScoreTable, split: Sequence[Any]) -> ScoreTable:
    """Say of a score which part it is of, and that what it calls scaled is what papers give."""
    scaled = "scaled: of values standardised by the mean and deviation of the training part, as papers have it"
    return replace(score, data=f"{PARTS[len(split) - 1]} part, {score.data} ({scaled})")


def _ends(series: Series, split: Sequence[Any], steps: int) -> tuple[int, ...]:
    if isinstance(split[0], str):
        return tuple(min(steps, first_after(series, time)) for time in split)
    if isinstance(split[0], float):
        return tuple(min(steps, round(share * steps)) for share in accumulate(split))
    return tuple(accumulate(split))
