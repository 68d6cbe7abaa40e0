"""The part of a series that training saw: what is said of it is better than what is said of values to come.

Quantiles that follow the values would come to fit the training part, and be too narrow after it. So they begin to move
behind its end, which the model file keeps for each series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from loopcell.data import Series


class Seen(NamedTuple):
    """The part of one series that training saw.

    Attributes:
        begin, end: the times of its first and its last step.
        first: the K values of its first step.
    """

    begin: Any
    end: Any
    first: tuple[float, ...]

    def begins(self, series: Series) -> bool:
        """Return whether a table is of this series: where rows are counted, it has to begin as that of training did."""
        if series.times.dtype.kind == "M" or not len(series):
            return True
        return bool(series.times[0] == self.begin and np.array_equal(series.target[0], self.first, equal_nan=True))

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain JSON values; a value that is missing is null."""
        first = [None if value != value else value for value in self.first]  # noqa: PLR0124 - NaN
        return {"begin": _plain(self.begin), "end": _plain(self.end), "first": first}


def seen_parts(series: Sequence[Series]) -> dict[str, Seen]:
    """Return what training sees of each series, by name, of those with a step that has been."""
    ends = [(one, one.steps) for one in series]
    return {one.name: Seen(one.times[0], one.times[end - 1], tuple(one.target[0].tolist())) for one, end in ends if end}


def seen_from_json(found: Mapping[str, Any]) -> dict[str, Seen]:
    """Return the same from a model file; ValueError, TypeError or KeyError where it is none."""
    return {
        str(name): Seen(
            _time(part["begin"]),
            _time(part["end"]),
            tuple(float("nan") if value is None else float(value) for value in part["first"]),
        )
        for name, part in found.items()
    }


def first_unseen(series: Series, seen: Seen | None) -> int:
    """Return the first step of a series that training did not see; of one that it had not 0."""
    if seen is None or (series.times.dtype.kind == "M") != isinstance(seen.end, np.datetime64):
        return 0
    return int((series.times <= seen.end).sum())


def _plain(time: Any) -> Any:
    return str(time) if isinstance(time, np.datetime64) else np.asarray(time).item()


def _time(value: Any) -> Any:
    if isinstance(value, str):
        return np.datetime64(value)
    if not isinstance(value, int | float):
        raise TypeError("a time is none")
    return value
