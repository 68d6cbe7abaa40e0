"""Targets: a number from each row that counts, summed up and held against a bar.

A target names every case that it is about. A case that was not measured, or where a side was absent or wrong, is
named in the verdict, and a target with such a case is not reached, whatever the others say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from benchmarks.grid import Shape
from benchmarks.suites.part import Row


@dataclass(frozen=True)
class Measured:
    """Everything that was measured.

    Attributes:
        rows: of every suite, by its name.
        machine: what it was measured on.
    """

    rows: Mapping[str, Sequence[Row]]
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One number that counts; where there is none, the reason."""

    label: str
    value: float | None
    why: str = ""


@dataclass(frozen=True)
class Target:
    """A bar to be reached.

    Attributes:
        what: in words.
        bar: the number.
        figures: what counts.
        total: sums it up: the worst, or a geometric mean.
        at_most: the bar is a most, not a least.
        unit: "x", "s", "" ...
    """

    what: str
    bar: float
    figures: Callable[[Measured], Iterable[Figure]]
    total: Callable[[Sequence[float]], float] = min
    at_most: bool = False
    unit: str = "x"

    def passes(self, value: float) -> bool:
        """Return whether a number reaches the bar."""
        return value <= self.bar if self.at_most else value >= self.bar


@dataclass(frozen=True)
class Verdict:
    """The state of a target.

    Attributes:
        target: which.
        value: the summed-up number; None where nothing was measured.
        reached: whether it reaches the bar, with no case missing.
        count: how many cases were measured.
        short: where every case is to reach the bar, those that do not, the furthest first; none for a mean.
        missing: cases without a number.
    """

    target: Target
    value: float | None
    reached: bool
    count: int
    short: tuple[Figure, ...]
    missing: tuple[Figure, ...]

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.value is None:
            return "not measured"
        if self.reached:
            return "reached"
        return "incomplete" if self.target.passes(self.value) else "not reached"


def judge(target: Target, measured: Measured) -> Verdict:
    """Hold what was measured against the bar."""
    figures = list(target.figures(measured))
    there = [(figure.value, figure) for figure in figures if figure.value is not None]
    missing = tuple(figure for figure in figures if figure.value is None)
    value = target.total([number for number, _ in there]) if there else None
    is_for_each = target.total in (min, max)
    short = sorted((pair for pair in there if is_for_each and not target.passes(pair[0])), key=lambda pair: pair[0])
    ordered = reversed(short) if target.at_most else short
    reached = value is not None and target.passes(value) and not missing
    return Verdict(target, value, reached, len(there), tuple(figure for _, figure in ordered), missing)


Number = Callable[[Row], float]
"""From a row to the number that counts; a KeyError says that it is not there."""


@dataclass(frozen=True)
class Cases:
    """Rows of a suite that a target is about: all combinations."""

    suite: str
    cells: Sequence[str]
    sizes: Sequence[Shape]
    jobs: Sequence[str]
    threads: Sequence[int] = (1,)
    forms: Sequence[str] = ("",)

    def figures(self, number: Number) -> Callable[[Measured], list[Figure]]:
        """Return one figure a case."""

        def found(measured: Measured) -> list[Figure]:
            by_case = {_case(row): row for row in measured.rows.get(self.suite, ())}
            cases = product(self.cells, self.sizes, self.forms, self.jobs, self.threads)
            return [_figure(case, by_case.get(case), number) for case in cases]

        return found


Case = tuple[str, Shape, str, str, int]


def _case(row: Row) -> Case:
    sizes = Shape(*(row[axis] for axis in "TBIH"))
    return row["cell"], sizes, row.get("form", ""), row["job"], row["threads"]


def _figure(case: Case, row: Row | None, number: Number) -> Figure:
    cell, sizes, form, job, threads = case
    label = ", ".join(filter(None, [cell, form, f"({sizes})", job, f"{threads} threads" if threads > 1 else ""]))
    if row is None:
        return Figure(label, None, "not measured")
    try:
        return Figure(label, number(row))
    except KeyError as missing:
        return Figure(label, None, _why(row, str(missing.args[0])))


def _why(row: Row, name: str) -> str:
    """Say why a number is not in a row: who is wrong or absent, the one asked for first."""
    reasons = {**row["absent"], **row["wrong"]}
    if name in reasons:
        return f"{name}: {reasons[name]}"
    return "; ".join(f"{other}: {reason}" for other, reason in reasons.items()) or f"{name} is not in the row"


def over(name: str) -> Number:
    """Return the time of another over ours: how many times faster we are."""
    return lambda row: float(row["ratios"][name]["median"])


def share_of(*names: str) -> Number:
    """Return the part of our time that the fastest of several would take, at most 1 if they are roofs."""
    return lambda row: min(float(row["ratios"][name]["median"]) for name in names)


def slower_than(name: str) -> Number:
    """Return our time over that of another."""
    return lambda row: 1 / float(row["ratios"][name]["median"])
