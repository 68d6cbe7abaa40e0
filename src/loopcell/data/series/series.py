"""Series: one time series in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from loopcell.data.series.numbers import Floats
from loopcell.data.series.showing import shown
from loopcell.data.series.steps import Step, Times
from loopcell.errors import UsageError


@dataclass(frozen=True, eq=False)
class Series:
    """One time series of T steps.

    Attributes:
        name: the value of its id column; "" where there is one series only.
        times: datetime64[us] (or [ns], where microseconds do not tell them apart), in UTC if they have a zone; int64 or
            float64 for numbers. `[T]`, rising.
        step: what lies between two times; None if that was not asked for, or there is one time only.
        target: float64 `[T, K]`, what is to be forecast.
        known: float64 `[T, P]`, covariates whose future is known (a holiday, a price that is set).
        past: float64 `[T, Q]`, covariates that are known up to now only.
        target_names: K names; `known_names` and `past_names` likewise.
        zone: the name of the times' zone, or their offset; None where they have none.
        notes: sentences about how the times were read, and on values that are not there, which the user should know.
        date_order: what stands first in dates that are not ISO 8601: year, day or month; "" for others.
        ahead: how many of the steps, at the end, are still to come: of them covariates may be known, and no target is.
        static: float64 `[S]`, what does not change within the series; `static_names` likewise.
        categories: of each categorical column the texts that its numbers count, from 0; the same for all series.

    A value that is missing is NaN.
    """

    name: str
    times: Times
    step: Step | None
    target: Floats
    known: Floats
    past: Floats
    target_names: tuple[str, ...]
    known_names: tuple[str, ...] = ()
    past_names: tuple[str, ...] = ()
    zone: str | None = None
    notes: tuple[str, ...] = ()
    date_order: str = ""
    ahead: int = 0
    static: Floats = field(default_factory=lambda: np.empty(0))
    static_names: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of steps, T."""
        return len(self.times)

    def __getitem__(self, part: slice) -> Series:
        """Return a segment of the series, as views."""
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise UsageError("a series is cut by a slice of neighbouring steps, such as series[:100]")
        _, stop, _ = part.indices(len(self))
        return replace(
            self,
            times=self.times[part],
            target=self.target[part],
            known=self.known[part],
            past=self.past[part],
            ahead=max(0, self.ahead - (len(self) - stop)),
        )

    @property
    def steps(self) -> int:
        """The number of steps that have been."""
        return len(self) - self.ahead

    def __repr__(self) -> str:
        step = f" every {self.step}" if self.step else ""
        span = f", {shown(self.times[0], self.zone)} to {shown(self.times[-1], self.zone)}" if len(self) else ""
        return f"<series {self.name!r}: {len(self):,} steps{step}{span}; {', '.join(self.target_names)}>"

    def future_times(self, count: int) -> Times:
        """Return the `count` times that follow the last one; UsageError where no step is known."""
        if self.step is None:
            raise UsageError(f"the series {self.name!r} has no regular step, so its future times are not known")
        return self.step.after(self.times[-1], count)
