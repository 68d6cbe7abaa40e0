"""Days of a month by rule: the 15th, the last day, the first business day, the third Friday.

Counting of business days is numpy's (`busday_offset`, `busday_count`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Dates = npt.NDArray[Any]  # datetime64[D]
Ints = npt.NDArray[np.int64]

BUSINESS = "1111100"  # Monday to Friday, as numpy writes a mask of weekdays
WEEKS = (BUSINESS, "1111001", "1111110", "1101111")  # also Sunday to Thursday, Monday to Saturday, Saturday to Thursday
LAST = 31  # the day that every month has: at most its last one
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Roll = Literal["", "forward", "backward"]


class Place(NamedTuple):
    """A day of every month.

    Attributes:
        day: with `days` empty or `roll`, the number of a day: 30 is the 30th, or the last day of a shorter month; -2 is
            the day before the last. Else the how-manieth of `days`: 1 the first, -1 the last.
        days: the days of the week that count, as numpy writes them; "" for all.
        roll: to the next or the previous day that counts, where the day is none.
    """

    day: int
    days: str = ""
    roll: Roll = ""

    def dates(self, months: npt.NDArray[Any]) -> Dates:
        """Return the day in some months, datetime64[M]."""
        first, last = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]") - 1
        if self.days and not self.roll:
            start, roll = (first, "forward") if self.day > 0 else (last, "backward")
            skip = self.day - 1 if self.day > 0 else self.day + 1
            return np.asarray(np.busday_offset(start, skip, roll=roll, weekmask=self.days))  # type: ignore[call-overload] # numpy types no str
        found = np.minimum(first + (self.day - 1), last) if self.day > 0 else np.maximum(last + (self.day + 1), first)
        if self.roll:
            found = np.busday_offset(found, 0, roll=self.roll, weekmask=self.days)
        return np.asarray(found)

    def __str__(self) -> str:
        """Write the rule: `day 30 or the last`, `the last day`, `the first business day`, `the 3rd Friday`."""
        if not self.days or self.roll:
            name = {1: "the first day", LAST: "the last day", 29: "day 29 or the last", 30: "day 30 or the last"}
            shown = name.get(self.day, f"day {self.day}" if self.day > 0 else f"day {-self.day} from the end")
            way = {"": "", "forward": "the next", "backward": "the one before"}[self.roll]
            return f"{shown}, or {way} {days_name(self.days)}" if way else shown
        which = {1: "first", -1: "last"}.get(self.day, f"{_ordinal(abs(self.day))}{' last' if self.day < 0 else ''}")
        return f"the {which} {days_name(self.days)}"


def days_name(days: str) -> str:
    """Return the name of a day of some days of the week: `business day`, `Friday`, `Sunday-Thursday day`."""
    if days == BUSINESS:
        return "business day"
    named = [name for name, counts in zip(DAY_NAMES, days, strict=True) if counts == "1"]
    if len(named) == 1:
        return named[0]
    return f"day of {', '.join(name[:3] for name in named)}"


def places_of(dates: Dates) -> Iterator[Place]:
    """Yield rules by which dates, one in each of some months, could have been chosen; the plainest come first.

    They are candidates: whoever asks compares what they give.
    """
    months = dates.astype("datetime64[M]")
    first, last = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]") - 1
    day, left = (dates - first).astype(np.int64) + 1, (last - dates).astype(np.int64)
    yield Place(LAST if not left.any() else int(day.max()))
    yield Place(_usual(day))
    yield Place(-(_usual(left) + 1))
    for days in WEEKS:
        for nth in (1, -1):
            yield Place(nth, days)
    yield from _counted(dates, first, last)
    for days in WEEKS[:1]:
        for number in range(LAST, 0, -1):
            yield Place(number, days, "forward")
            yield Place(number, days, "backward")


def _counted(dates: Dates, first: Dates, last: Dates) -> Iterator[Place]:
    """Yield the third Friday, the last Wednesday; the second business day, counted from either end."""
    weekday = int(_usual((dates.astype(np.int64) + 3) % 7))
    for days in ("".join("01"[number == weekday] for number in range(7)), BUSINESS):
        yield Place(max(_usual(np.busday_count(first, dates + 1, weekmask=days)), 1), days)
        yield Place(-max(_usual(np.busday_count(dates, last + 1, weekmask=days)), 1), days)


def _usual(numbers: Ints) -> int:
    """Return the most frequent number; of several the smallest."""
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()])


def _ordinal(number: int) -> str:
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
