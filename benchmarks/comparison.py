"""A comparison: equality first, then time. What is wrong is not timed, and what is absent is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import Tensor

from benchmarks.measure import Patience, Samples, alternate, ratios, spread

Observed = Mapping[str, Tensor]
"""What a run gives, by name, in whatever precision."""

TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-2}
"""Largest error of an entry, in units of the largest entry of the same tensor in float64."""
SLACK = 4
"""How many times the error of plain PyTorch in float32 is allowed, where that is more."""


@dataclass(frozen=True)
class Entry:
    """One way to do a job.

    Attributes:
        name: as the result shall call it.
        run: does the job; this is what is timed.
        observe: does the job and names what came out.
        truth: the same names, computed in float64; None where there is nothing to be equal to (a bare product).
        slack: how far plain PyTorch in float32 is from the truth, by name: where rounding grows, as through layer
            normalisation of a state near zero, nobody is held to more than a few times that.
        dtype: which tolerance holds, "float32" or "bfloat16".
        path: for loopcell, which path ran it.
        jobs: how often `run` does the job in one call.
    """

    name: str
    run: Callable[[], object]
    observe: Callable[[], Observed]
    truth: Observed | None = None
    slack: Mapping[str, float] = field(default_factory=dict)
    dtype: str = "float32"
    path: str | None = None
    jobs: int = 1

    def within(self, context: Callable[[], AbstractContextManager[object]]) -> Entry:
        """Return the same entry, each call within a context of its own."""

        def run() -> object:
            with context():
                return self.run()

        def observe() -> Observed:
            with context():
                return self.observe()

        return replace(self, run=run, observe=observe)


@dataclass(frozen=True)
class Absent:
    """An entry that is not there, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Settings:
    """The terms of a comparison.

    Attributes:
        patience: for how long.
        clock: "wall", or "cpu" for the time of all threads together, on a machine that others use too.
    """

    patience: Patience = field(default_factory=Patience)
    clock: str = "wall"


def compare(case: Mapping[str, Any], entries: Sequence[Entry | Absent], settings: Settings) -> dict[str, Any]:
    """Check every entry, then time those that are right, in turns.

    Args:
        case: what the row is about: cell, sizes, mode, ...
        entries: the first is the one whose speed is asked; the others are what it is compared with.
        settings: for how long, by which clock.

    Returns:
        A row of the result: the case, times in milliseconds, ratios (their time over the first one's), paths, and
        who was absent or wrong. Where the first is wrong there are no times; where it is absent, no ratios.
    """
    absent = {entry.name: entry.reason for entry in entries if isinstance(entry, Absent)}
    present = [entry for entry in entries if isinstance(entry, Entry)]
    wrong = {entry.name: error for entry in present if (error := complaint(entry))}
    row: dict[str, Any] = {**case, "times": {}, "ratios": {}, "absent": absent, "wrong": wrong}
    row["paths"] = {entry.name: entry.path for entry in present if entry.path}
    first = entries[0].name
    right = {entry.name: entry for entry in present if entry.name not in wrong}
    if first in wrong or not right:
        return row
    samples = alternate({name: entry.run for name, entry in right.items()}, settings.patience)
    times = {name: [once / right[name].jobs for once in of.by(settings.clock)] for name, of in samples.items()}
    row["times"] = {name: _time(samples[name], values) for name, values in times.items()}
    if first in times:
        row["ratios"] = {
            name: _rounded(asdict(ratios(values, times[first])), 4) for name, values in times.items() if name != first
        }
    return row


def complaint(entry: Entry) -> str:
    """Return what is wrong with what an entry computes; nothing if it is right."""
    if entry.truth is None:
        return ""
    observed = entry.observe()
    if observed.keys() != entry.truth.keys():
        return f"it gives {sorted(observed)} instead of {sorted(entry.truth)}"
    for name, expected in entry.truth.items():
        if observed[name].shape != expected.shape:
            return f"{name} is {list(observed[name].shape)} instead of {list(expected.shape)}"
    far = {name: error for name, error in errors(observed, entry.truth).items() if not error <= _allowed(entry, name)}
    if not far:
        return ""
    worst = max(far, key=lambda name: math.inf if math.isnan(far[name]) else far[name])
    return (
        f"{len(far)} of {len(entry.truth)} tensors are off, most of all {worst}, by {far[worst]:.2g} of its largest "
        f"entry ({_allowed(entry, worst):.2g} is allowed)"
    )


def errors(observed: Observed, truth: Observed) -> dict[str, float]:
    """Return each tensor's error, in units of the truth's largest entry; NaN where one is not finite."""
    return {name: _error(observed[name].double(), expected) for name, expected in truth.items()}


def _error(actual: Tensor, expected: Tensor) -> float:
    largest = expected.abs().max().item() or 1.0
    return (actual - expected).abs().max().item() / largest


def _allowed(entry: Entry, name: str) -> float:
    return max(TOLERANCES[entry.dtype], SLACK * entry.slack.get(name, 0.0))


def _time(samples: Samples, values: Sequence[float]) -> dict[str, float]:
    milliseconds = spread([1e3 * value for value in values])
    return {**_rounded(asdict(milliseconds), 6), "cores": round(samples.cores, 2), "rounds": len(values)}


def _rounded(numbers: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: float(f"{number:.{digits}g}") for name, number in numbers.items()}
