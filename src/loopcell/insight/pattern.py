"""Patterns of units: which are on in an interval of a sequence and off around it.

After Strobelt, Gehrmann, Pfister and Rush: LSTMVis, a tool for visual analysis of hidden state dynamics in recurrent
neural networks, IEEE TVCG 24(1), 2018, arXiv:1606.07461: a reader selects an interval and a threshold, and the units
that are above it throughout are what is looked for elsewhere. There the threshold is one for all; here each unit may
have its own, half way between its values in the interval and around it, and a unit may also be on by being low.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError, UsageError, quoted
from loopcell.insight.capture import LayerView
from loopcell.insight.corpus_parts import column

MOST_UNITS = 8
_CONDITION = re.compile(
    r"\s*(layer\d{1,6}\.\w+)\[(\d{1,9})\]\s*([<>])\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
)


class SeenSequence(Protocol):
    """A sequence and what the layers computed of it: an `Inspection`."""

    @property
    def steps(self) -> Sequence[str]:
        """Its steps in words."""
        ...

    @property
    def layers(self) -> Sequence[LayerView]:
        """Every layer and direction."""
        ...


@dataclass(frozen=True)
class Condition:
    """A unit that is on: on one side of a threshold.

    Attributes:
        column: of the states, such as "layer1.c".
        unit: its number, from 0.
        threshold: where it begins to be on.
        above: on means at or above the threshold; else below it.
    """

    column: str
    unit: int
    threshold: float
    above: bool = True

    def __str__(self) -> str:
        return f"{self.column}[{self.unit}]{'>' if self.above else '<'}{self.threshold:.4g}"


@dataclass(frozen=True)
class Pattern:
    """Units that are on together.

    Attributes:
        conditions: at least one unit, with its threshold.
        interval: the steps of the inspected sequence that it was taken from, start and end; None where it was written.
        bounded: the units were off at the step before and at the step after, which then counts in a match's score.

    Raises:
        InputError: it has no unit, or a threshold is not finite.
    """

    conditions: tuple[Condition, ...]
    interval: tuple[int, int] | None = None
    bounded: bool = False

    def __post_init__(self) -> None:
        if not self.conditions:
            raise InputError("a pattern has at least one unit, such as layer1.c[12]>0.5")
        for each in self.conditions:
            if not math.isfinite(each.threshold):
                raise InputError(f"the threshold of {each.column}[{each.unit}] is {each.threshold}: give a finite one")

    def __str__(self) -> str:
        return " ".join(map(str, self.conditions))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of states that it looks at."""
        return tuple(dict.fromkeys(condition.column for condition in self.conditions))

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read conditions such as "layer1.c[12]>0.5 layer1.c[3]<-0.2", with blanks or commas between them.

        Raises:
            UsageError: it is not of this form, or a threshold is larger than numbers get.
        """
        conditions, place = [], 0
        while place < len(text):
            found = _CONDITION.match(text, place)
            if found is None:
                raise UsageError(
                    f"{quoted(text)} is no pattern; write layer1.c[12]>0.5, and several with blanks between"
                )
            name, unit, side, threshold = found.groups()
            if not math.isfinite(float(threshold)):
                raise UsageError(f"{quoted(text)} is no pattern: {threshold} is larger than a number can be")
            conditions.append(Condition(name, int(unit), float(threshold), side == ">"))
            place = found.end() + (text[found.end() : found.end() + 1] == ",")
        return cls(tuple(conditions))

    @classmethod
    def of(
        cls,
        seen: SeenSequence,
        start: int,
        end: int,
        *,
        layer: int | None = None,
        quantity: str | None = None,
        threshold: float | None = None,
        most: int = MOST_UNITS,
    ) -> Pattern:
        """Return the units that are on from step `start` up to `end`, and off at the step before and the step after.

        Args:
            seen: the inspection of a sequence.
            start: the first step of the interval.
            end: the step after its last one.
            layer: which of `seen.layers`; None for the last.
            quantity: which of its quantities; None for the cell's last state: c of an LSTM, h of a GRU.
            threshold: a unit is on at or above it; None finds a threshold for each unit, and units that are low in the
                interval too.
            most: how many units at most: those first that stand out most, in standard deviations of the unit.

        Raises:
            InputError: the interval is empty or not in the sequence, there is no such layer or quantity, or no unit is
                on in it and off around it.
        """
        if not 0 <= start < end <= len(seen.steps):
            raise InputError(f"an interval of the {len(seen.steps)} steps was expected, got {start}:{end}")
        name, values = _chosen(seen, layer, quantity)
        found = _standing_out(values, start, end) if threshold is None else _above(values, start, end, threshold)
        if not found:
            at = "" if threshold is None else f" at {threshold:g}"
            raise InputError(
                f"no unit of {name} is on throughout the steps {start}:{end} and off around them{at}: choose another "
                "interval, layer, quantity or threshold"
            )
        kept = sorted(found, key=lambda each: -each[0])[:most]
        conditions = tuple(Condition(name, unit, limit, above) for _, unit, limit, above in kept)
        return cls(conditions, (start, end), bounded=True)


Found = list[tuple[float, int, float, bool]]
"""Units: how far each stands out, its number, its threshold, whether it is on above."""


def _chosen(seen: SeenSequence, layer: int | None, quantity: str | None) -> tuple[str, npt.NDArray[np.float32]]:
    """Return the name of a column of states and its values [T, n]."""
    number = len(seen.layers) - 1 if layer is None else layer
    if not 0 <= number < len(seen.layers):
        raise InputError(f"there is no layer {number}: layers are counted from 0, and there are {len(seen.layers)}")
    view = seen.layers[number]
    name = view.cell.states[-1] if quantity is None else quantity
    if name not in view.quantities:
        raise InputError(f"{view.name} has no quantity {quoted(name)}; there is {', '.join(view.quantities)}")
    return column(number, name), view.quantities[name]


def _around(values: npt.NDArray[np.float32], start: int, end: int) -> npt.NDArray[np.float32]:
    """Return the values at the step before an interval and at the step after, as far as they are there, [0 to 2, n]."""
    return np.concatenate([values[max(0, start - 1) : start], values[end : end + 1]])


def _above(values: npt.NDArray[np.float32], start: int, end: int, threshold: float) -> Found:
    """Return the units at or above a threshold in an interval and below it around: LSTMVis."""
    with np.errstate(over="ignore"):  # a threshold that no state can reach
        limit = np.float32(threshold)
    lowest = values[start:end].min(0)
    highest = _around(values, start, end).max(0, initial=-np.inf)
    spread = _spread(values)
    on = (lowest >= limit) & (highest < limit)
    return [
        ((float(lowest[unit]) - float(limit)) / spread[unit], unit, threshold, True)
        for unit in np.flatnonzero(on).tolist()
    ]


def _standing_out(values: npt.NDArray[np.float32], start: int, end: int) -> Found:
    """Return the units whose values in an interval are all above, or all below, those around it, halves between."""
    around = _around(values, start, end)
    if not len(around):  # the interval is the whole sequence: nothing to stand out from but zero, where states begin
        around = np.zeros((1, values.shape[1]), np.float32)
    inside, found, spread = values[start:end], [], _spread(values)
    for above, sign in ((True, 1), (False, -1)):
        lowest, highest = (sign * inside).min(0), (sign * around).max(0)
        for unit in np.flatnonzero(lowest > highest).tolist():
            gap = float(lowest[unit]) - float(highest[unit])
            with np.errstate(over="ignore"):
                threshold = float(sign * (lowest[unit] + highest[unit]) / 2)
            if math.isfinite(threshold):
                found.append((gap / spread[unit], unit, threshold, above))
    return found


def _spread(values: npt.NDArray[np.float32]) -> list[float]:
    """Return the standard deviation of each unit, never 0."""
    with np.errstate(invalid="ignore"):  # of a unit that is infinite somewhere it is nan
        deviations = values.std(0, dtype=np.float64)
    found: list[float] = np.maximum(deviations, np.finfo(np.float32).tiny).tolist()
    return found
