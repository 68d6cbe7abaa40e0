"""The roles of a table's columns: what makes a step, what tells units apart, what is to be learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loopcell.data.readers.records import Records, listed, twice_in
from loopcell.errors import DataError, UsageError

REMAINING = "remaining"
"""As a target that is no column of the table: the rows that a unit still has after the last one of a sequence."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles of columns, and which rows make a sequence.

    Attributes:
        input: the columns that make a step; where rows are examples, those that make the sequence of a row.
        target: the column of what is to be learned; None for nothing.
        labels: in its place with `each_step`, columns of zeros and ones: of each step, whether it has these labels.
        by: the columns that tell units apart: a machine, a wearer, a sentence. () where all rows are one unit.
        time: the columns with the times, in whose order the rows of a unit are put; () for the order of the table.
        time_format: how times are written, as for `read_stamps`; None for what is found.
        static: columns with one value for each unit; with `each_step` they are put into every step.
        joined: those of them that stand in a table of units, a row each.
        carried: columns of which each sequence keeps the value in its last row, to be told by.
        window: the rows of a sequence; None for all rows of a unit.
        stride: rows from one window to the next; None for the usual: 1, or `window` where a step has a label.
        last: only the last window of each unit.
        each_step: a sequence has a label for each step, and not one for all of it.
        cap: the largest target; a larger one is read as this.
    """

    input: tuple[str, ...]
    target: str | None = None
    labels: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    time_format: str | None = None
    static: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    window: int | None = None
    stride: int | None = None
    last: bool = False
    each_step: bool = False
    cap: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense together; UsageError."""
        for name in ("window", "stride"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise UsageError(f"{name} is a whole number from 1 up, got {value!r}")
        if self.labels and not (self.each_step and self.of_steps):
            raise UsageError(
                f"{listed(self.labels)} are several targets, which only the steps of a tagger have: name one column"
            )
        if self.window is None and (self.stride is not None or self.last):
            raise UsageError(
                f"{'last' if self.last else 'stride'} is about windows: say how many rows one has (window)"
            )

    @property
    def of_steps(self) -> bool:
        """Say whether a row is a step, and not an example."""
        return bool(self.by or self.time) or self.window is not None

    @property
    def step(self) -> tuple[str, ...]:
        """The names of the numbers of a step: where each step has a label, those of its unit are among them."""
        return (*self.input, *self.static) if self.each_step else self.input

    def counts_down(self, columns: Sequence[str]) -> bool:
        """Say whether the target is what remains of a unit, which no column has."""
        return self.of_steps and self.target == REMAINING and REMAINING not in columns

    def read(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns to read, each once, of a table that has these."""
        target = (self.target,) if self.target is not None and not self.counts_down(columns) else ()
        own = (name for name in self.static if name not in self.joined)
        return tuple(dict.fromkeys([*self.input, *target, *self.labels, *self.by, *self.time, *own, *self.carried]))


def demand_columns(records: Records, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns that are there.

    Raises:
        UsageError: one is named twice.
        DataError: one is not there.
    """
    columns, twice = records.columns, twice_in(names)
    if twice is not None:
        raise UsageError(f"the column {twice!r} is named twice; name each of them once")
    there = set(columns)
    for name in names:
        if name not in there:
            raise DataError(f"{records} has no column {name!r}; it has {listed(columns)}{records.hint}")
    return tuple(names)
