"""Steps of numbers with missing values: what a network reads in their place, and what it is told of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import filled_forward, interpolated, time_since_value
from loopcell.errors import UsageError, quoted
from loopcell.tasks.core.argument_types import FillName
from loopcell.tasks.core.inputs.cell_inputs import GIVEN

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


class LastSeen(NamedTuple):
    """Memory of a sequence between two pieces.

    Attributes:
        values: the last value of each column, [I]; NaN where there was none.
        seen: when that was, [I]; before a column's first value the time of the first step.
        time: of the last step, [1].
    """

    values: Floats
    seen: Floats
    time: Floats


@dataclass(frozen=True)
class Gaps:
    """The form of a step: I numbers, behind them what tells of gaps, and behind those what the cell asks for by name.

    Behind the numbers stands, of each column in `masked`, whether it has a value (1 or 0), then of each of them how
    long ago it had the one before, and where there are times how long ago the step before was. A time t is read as
    log(1 + t / unit). A cell that reads `mask` and `dt` in its equations gets these in place of that, times as
    t / unit.

    Attributes:
        columns: I.
        fill: what stands in place of a missing value.
        masked: the columns whose gaps are told of behind the numbers.
        timed: whether steps have times; else each is one unit after the one before.
        unit: the mean time between two steps of training.
        asked: what the cell reads beside x, by name, and whether it is as long as x, or one number a step.
    """

    columns: int
    fill: FillName = "mask"
    masked: tuple[int, ...] = ()
    timed: bool = False
    unit: float = 1.0
    asked: tuple[tuple[str, bool], ...] = ()

    @property
    def width(self) -> int:
        """The length of x, a step's numbers and what tells of gaps behind them."""
        return self.columns + 2 * len(self.masked) + self.tells_time

    @property
    def size(self) -> int:
        """The length of a step with what the cell asks for."""
        return self.width + sum(self.width if long else 1 for _, long in self.asked)

    @property
    def goes_on(self) -> bool:
        """True where a step tells of those before it, so that pieces of a sequence carry something."""
        return bool(self.masked or self.asked) or self.timed or self.fill == "ffill"

    @property
    def told(self) -> npt.NDArray[np.bool_]:
        """True for the columns of which the network is told where a value is missing, [I]."""
        return np.isin(np.arange(self.columns), self.masked) | ("mask" in dict(self.asked))

    @property
    def tells_time(self) -> bool:
        """True where the time from step to step stands behind the numbers."""
        return self.timed and "dt" not in dict(self.asked)

    def encode(
        self, values: Floats32, times: Floats | None = None, before: LastSeen | None = None
    ) -> tuple[Floats32, LastSeen | None]:
        """Return steps as the network reads them, [T, `size`], and what the next piece goes on from.

        Args:
            values: on the network's scale, [T, I]; NaN where there is none.
            times: of the steps, [T]; None counts them.
            before: what the piece before left; None at a sequence's beginning.
        """
        there = ~np.isnan(values)
        if not self.goes_on and there.all():  # by far the most frequent
            return values, None
        now = self._times(len(values), times, before)
        since = time_since_value(there, now, None if before is None else before.seen) / self.unit
        passed = np.diff(now, prepend=now[:1] if before is None else before.time)[:, None] / self.unit
        parts = [self._filled(values, now, before), there[:, self.masked], np.log1p(since[:, self.masked])]
        parts += [np.log1p(passed)] if self.tells_time else []
        parts += [self._asked_for(name, long, there, since, passed) for name, long in self.asked]
        found: Floats32 = np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")
        return found, self._left(values, now, before)

    def _asked_for(
        self, name: str, long: bool, there: npt.NDArray[np.bool_], since: npt.NDArray[Any], passed: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Return an input of the cell, [T, `width`] or [T, 1]; what tells of gaps is always there itself."""
        if not long:
            return np.any(there, axis=1, keepdims=True) if name == "mask" else passed
        own, others = (there, np.ones_like(passed)) if name == "mask" else (since, passed)
        return np.concatenate([own, np.repeat(others, self.width - self.columns, axis=1)], axis=1)

    def _times(self, steps: int, times: Floats | None, before: LastSeen | None) -> Floats:
        if times is not None:
            return times
        counted: Floats = np.arange(steps, dtype=np.float64) + (0.0 if before is None else float(before.time[0]) + 1)
        return counted

    def _filled(self, values: Floats32, times: Floats, before: LastSeen | None) -> Floats32:
        """Return values with something in place of each gap; the mean, which is 0, where there is nothing else."""
        if self.fill == "ffill":
            values = filled_forward(values, None if before is None else before.values)
        elif self.fill == "interpolate":
            values = interpolated(values, times)
        return np.nan_to_num(values, copy=True, nan=0.0)

    def _left(self, values: Floats32, times: Floats, before: LastSeen | None) -> LastSeen | None:
        if not len(values):
            return before
        last = filled_forward(values, None if before is None else before.values)[-1]
        seen = np.where(np.isnan(values), -np.inf, times[:, None]).max(0)
        start = np.full(self.columns, times[0]) if before is None else before.seen
        return LastSeen(last.astype(np.float64), np.maximum(seen, start), times[-1:])

    def to_json(self) -> dict[str, Any]:
        """Return what is other than where nothing is missing and there are no times."""
        more = {"masked": list(self.masked), "unit": self.unit if self.timed else None, "asked": dict(self.asked)}
        return {name: value for name, value in more.items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], columns: int, fill: object) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        masked, unit = stored.get("masked", []), stored.get("unit", 1.0)
        known = isinstance(masked, list) and all(type(one) is int and 0 <= one < columns for one in masked)
        if not known or len(set(masked)) < len(masked):
            raise ValueError("its columns with gaps are none of its columns")
        if not isinstance(unit, float) or not (0 < unit < math.inf):
            raise ValueError(f"its unit of time is {quoted(unit)}")
        if fill not in get_args(FillName):
            raise ValueError(f"its fill is {quoted(fill)}")
        asked = stored.get("asked", {})
        if not isinstance(asked, dict) or not all(name in GIVEN and type(long) is bool for name, long in asked.items()):
            raise ValueError("what its cell asks for is not mask or dt")
        return cls(columns, fill, tuple(masked), "unit" in stored, unit, tuple(asked.items()))  # type: ignore[arg-type]

    def demand_no_look_ahead(self, values: Floats32) -> None:
        """Refuse a piece of a stream whose gaps end in steps that have not come."""
        if self.fill == "interpolate" and np.isnan(values).any():
            raise UsageError(
                "fill='interpolate' looks ahead to the next value, which has not come; fit with fill='mask' or 'ffill'"
            )


class Holes:
    """A count of the missing values of some sequences, column by column.

    Args:
        columns: I.
    """

    def __init__(self, columns: int) -> None:
        self.missing, self.steps = np.zeros(columns, np.int64), 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count those of one sequence, [T, I]."""
        self.missing += np.isnan(values).sum(0)
        self.steps += len(values)

    def of_training(self, gaps: Gaps, names: list[str]) -> tuple[str, ...]:
        """Return the sentences about training data: how much is missing, and what is read in its place."""
        if not self.missing.any():
            return ()
        found = [f"{self._counted(self.missing > 0, names)} missing: {_read_instead(gaps)}"]
        if never := [name for name, count in zip(names, self.missing, strict=True) if count == self.steps]:
            listed, verb = ", ".join(never[:5]), "has" if len(never) == 1 else "have"
            found.append(f"{listed} {verb} no value at all in training: the network reads 0 there")
        return tuple(found)

    def of_others(self, gaps: Gaps, names: list[str]) -> tuple[str, ...]:
        """Return a sentence about gaps in columns that had none in training, of which the network is not told."""
        untold = (self.missing > 0) & ~gaps.told
        if not untold.any() or gaps.fill != "mask":
            return ()
        counted = self._counted(untold, names)
        return (f"{counted} missing, and the network, which is told of gaps in other columns alone, reads the mean",)

    def _counted(self, columns: npt.NDArray[np.bool_], names: list[str]) -> str:
        missing, count = int(self.missing[columns].sum()), self.steps * int(columns.sum())
        own = [name for name, one in zip(names, columns, strict=True) if one]
        where = ", ".join(own) if len(own) <= 3 else f"{len(own)} columns"
        return f"{missing:,} of {count:,} values of {where} {'is' if missing == 1 else 'are'}"


def _read_instead(gaps: Gaps) -> str:
    if "mask" in dict(gaps.asked) and gaps.fill == "mask":
        return "the cell is told where, by its input mask"
    instead = {
        "mask": "the network reads the mean there",
        "ffill": "the network reads the value before, and the mean before the first (fill='ffill')",
        "interpolate": "the network reads a line between the values around (fill='interpolate'), which looks ahead",
    }[gaps.fill]
    return f"{instead}, and a mask and the time since the last value beside it" if gaps.told.any() else instead
