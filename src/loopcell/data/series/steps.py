"""Steps: what lies between two times of a series, and the times that follow one.

A step is so much time, or it goes by the calendar on the wall clock of a zone: so many hours or days of the clock, days
of the week that count, months. What goes by the calendar has a `Rule`, which numbers all places on the calendar and
says when each is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.series.months import Place, days_name
from loopcell.data.series.zones import check_zone, instants, wall

Times = npt.NDArray[Any]  # datetime64[us] (or [ns], where microseconds do not tell them apart), int64 or float64, [T]
Ints = npt.NDArray[np.int64]

DAY = 86_400_000_000  # microseconds
MOST_PLACES = 4  # in a month
LARGEST = 2.0**63  # of a step: what times are counted in ends there
UNITS = (("day", 86_400e6), ("hour", 3_600e6), ("minute", 60e6), ("second", 1e6), ("millisecond", 1e3))


class Rule(ABC):
    """Places on the calendar, numbered through all time; times are those of a wall clock, datetime64[us]."""

    @property
    def each(self) -> int:
        """The number of places that make the unit of a step's size."""
        return 1

    @abstractmethod
    def index(self, times: Times) -> Ints:
        """Return the number of the place that each time stands at, or is next to."""

    @abstractmethod
    def at(self, index: Ints) -> Times:
        """Return the time of places."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON values, for `rule_from_json`."""


@dataclass(frozen=True)
class Clock(Rule):
    """Even on the wall clock: every day at 8, every 6 hours.

    Attributes:
        size: from place to place, in microseconds.
        phase: of one place, in microseconds since 1970.
    """

    size: int
    phase: int

    def index(self, times: Times) -> Ints:
        """Return the places of times; see `Rule`."""
        return np.asarray((_micros(times) - self.phase + self.size // 2) // self.size)

    def at(self, index: Ints) -> Times:
        """Return the times of places; see `Rule`."""
        return np.asarray((self.phase + index * self.size).astype("datetime64[us]"))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; see `Rule`."""
        return {"size": self.size, "phase": self.phase}


@dataclass(frozen=True)
class Weekdays(Rule):
    """Days of the week that count, such as business days.

    Attributes:
        days: which, from Monday, as numpy writes them: "1111100".
        time: of the day, in microseconds.
    """

    days: str
    time: int

    def index(self, times: Times) -> Ints:
        """Return the places of times; see `Rule`."""
        epoch = np.datetime64("1970-01-05", "D")
        dates = np.busday_offset(_dates(times, self.time), 0, roll="backward", weekmask=self.days)
        return np.asarray(np.busday_count(epoch, dates, weekmask=self.days), np.int64)

    def at(self, index: Ints) -> Times:
        """Return the times of places; see `Rule`."""
        epoch = np.busday_offset("1970-01-05", 0, roll="forward", weekmask=self.days)
        return _at(np.busday_offset(epoch, index, weekmask=self.days), self.time)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; see `Rule`."""
        return {"days": self.days, "time": self.time}


@dataclass(frozen=True)
class Monthly(Rule):
    """One day of every month, or several.

    Attributes:
        places: of the month, rising.
        time: of the day, in microseconds.
    """

    places: tuple[Place, ...]
    time: int

    @property
    def each(self) -> int:
        """The number of places in a month."""
        return len(self.places)

    def index(self, times: Times) -> Ints:
        """Return the places of times; see `Rule`."""
        dates = _dates(times, self.time)
        months = dates.astype("datetime64[M]")
        away = np.stack([np.abs((place.dates(months) - dates).astype(np.int64)) for place in self.places])
        return np.asarray(months.astype(np.int64) * self.each + away.argmin(0))

    def at(self, index: Ints) -> Times:
        """Return the times of places; see `Rule`."""
        months = (index // self.each).astype("datetime64[M]")
        found = np.stack([place.dates(months) for place in self.places])
        return _at(np.take_along_axis(found, (index % self.each)[None], 0)[0], self.time)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; see `Rule`."""
        return {"places": [list(place) for place in self.places], "time": self.time}


def rule_from_json(given: Mapping[str, Any]) -> Rule:
    """Read what `Rule.to_json` gave; ValueError, TypeError or KeyError for anything else."""
    if "phase" in given:
        size, phase = _whole(given["size"], 1, 100_000 * DAY), _whole(given["phase"], -(10**17), 10**17)
        return Clock(size, phase)
    time = _whole(given["time"], 0, DAY - 1)
    if "days" in given:
        return Weekdays(_mask(given["days"]), time)
    places = tuple(_place(*place) for place in given["places"])
    if not 1 <= len(places) <= MOST_PLACES:
        raise ValueError("its places of the month are none")
    return Monthly(places, time)


@dataclass(frozen=True)
class Step:
    """The distance between two neighbouring times.

    Attributes:
        size: whole months if `calendar` (half a month for two days of each); days of the week that count where the rule
            has such; else microseconds of time stamps, or the difference of numbers.
        calendar: whether steps are months, which have different lengths.
        clock: whether times are time stamps, rather than numbers.
        rule: the places on the calendar that times stand at; None where they are so much time apart.
        zone: on whose wall clock the rule's places are; None where times have no zone.
        grain: to what times are rounded, in microseconds; 0 for nothing.
    """

    size: float
    calendar: bool = False
    clock: bool = True
    rule: Rule | None = None
    zone: str | None = None
    grain: float = 0.0

    def __str__(self) -> str:
        """Write the step: `1 hour`, `15 minutes`, `1 month`, `1 business day`; of numbers, the number."""
        if not self.clock:
            return f"{self.size:g}"
        if self.calendar:
            return f"{self.size:g} month{'s' * (self.size != 1)}"
        if isinstance(self.rule, Weekdays):
            name = days_name(self.rule.days)
            return f"{self.size:g} {name if self.size == 1 else name.replace('day', 'days', 1)}"
        name, unit = next(((name, unit) for name, unit in UNITS if self.size >= unit), ("microsecond", 1.0))
        return f"{self.size / unit:g} {name}{'s' * (self.size != unit)}"

    def same_kind(self, other: Step) -> bool:
        """Return whether both count the same: time, numbers, months or the same days of the week."""
        days = [step.rule.days if isinstance(step.rule, Weekdays) else "" for step in (self, other)]
        return (self.calendar, self.clock, days[0]) == (other.calendar, other.clock, days[1])

    @property
    def days_a_week(self) -> int:
        """The days of the week that count; 0 where steps are no such days."""
        return self.rule.days.count("1") if isinstance(self.rule, Weekdays) else 0

    def after(self, time: Any, count: int) -> Times:
        """Return the `count` times that follow `time`."""
        ahead = np.arange(1, count + 1)
        if not self.clock:
            found = time + ahead * self.size
            return np.asarray(np.round(found).astype(np.int64) if isinstance(time, int | np.integer) else found)
        fine = self.rule is None and not self.calendar and (self.grain or self.size) % 1 != 0  # of a microsecond
        unit = "ns" if fine or np.datetime_data(np.datetime64(time).dtype)[0] == "ns" else "us"
        now = np.asarray([time]).astype(f"datetime64[{unit}]")
        if self.rule is not None:
            here = self.rule.index(wall(now, self.zone))
            return instants(self.rule.at(here + ahead * self.places), self.zone).astype(now.dtype)
        if self.calendar:
            return _in_months(np.datetime64(time, "us"), ahead * int(self.size))
        return np.asarray(now + self._elapsed(ahead, unit))

    @property
    def jitters(self) -> bool:
        """True if times are known to stand around those of the step, rather than at them."""
        return self.grain > 0 or (isinstance(self.rule, Clock) and self.zone is None)

    @property
    def micros(self) -> float:
        """The approximate length of a step of time stamps, in microseconds."""
        return self.size * (30 * DAY if self.calendar else 7 * DAY / self.days_a_week if self.days_a_week else 1)

    @property
    def places(self) -> int:
        """The number of places of the rule that a step goes on."""
        if isinstance(self.rule, Clock):
            return max(1, round(self.size / self.rule.size))
        return round(self.size * (1 if self.rule is None else self.rule.each))

    def _elapsed(self, ahead: Ints, unit: str) -> Times:
        grain = self.grain or (1e-3 if unit == "ns" else 1.0)
        micros = np.round(ahead * self.size / grain) * grain
        return np.asarray(np.round(micros * (1000 if unit == "ns" else 1)).astype(f"timedelta64[{unit}]"))

    def to_json(self) -> list[Any]:
        """Return the step as JSON values."""
        found: list[Any] = [self.size, self.calendar, self.clock]
        more = {"rule": self.rule and self.rule.to_json(), "zone": self.zone, "grain": self.grain or None}
        given = {name: value for name, value in more.items() if value is not None}
        return [*found, given] if given else found

    @classmethod
    def from_json(cls, given: Any) -> Step:
        """Read what `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        size, months, clock, *more = given
        if not isinstance(size, int | float) or not 0 < size < LARGEST or {type(months), type(clock)} != {bool}:
            raise ValueError("it is no step of times")
        if len(more) > 1 or not all(isinstance(one, Mapping) for one in more):
            raise ValueError("it is no step of times")
        facts: Mapping[str, Any] = more[0] if more else {}
        rule = rule_from_json(facts["rule"]) if "rule" in facts else None
        zone, grain = facts.get("zone"), float(facts.get("grain", 0.0))
        if not 0 <= grain < float("inf"):
            raise ValueError("it is no step of times")
        found = cls(size, months, clock, rule, None if zone is None else check_zone(str(zone)), grain)
        if rule is not None and found.places < 1:
            raise ValueError("it is no step of times")
        return found


def _in_months(time: np.datetime64, months: Ints) -> Times:
    """Return the time some months later for a step of unknown day: the last day of a month stays the last day."""
    month = time.astype("datetime64[M]")
    later = month + months
    left = (month + 1).astype("datetime64[us]") - time
    if left <= np.timedelta64(1, "D") and time.astype("datetime64[D]") != month.astype("datetime64[D]"):
        return np.asarray((later + 1).astype("datetime64[us]") - left)
    return np.asarray(later.astype("datetime64[us]") + (time - month.astype("datetime64[us]")))


def _dates(times: Times, time: int) -> Times:
    """Return the days on which a time of the day is nearest to some times."""
    return np.asarray((times - np.timedelta64(time - DAY // 2, "us")).astype("datetime64[D]"))


def _micros(times: Times) -> Ints:
    return np.asarray(times.astype("datetime64[us]").astype(np.int64))


def _at(dates: Times, time: int) -> Times:
    return np.asarray(dates.astype("datetime64[us]") + np.timedelta64(time, "us"))


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("its times are no whole numbers in their bounds")
    return value


def _mask(days: Any) -> str:
    if not isinstance(days, str) or len(days) != 7 or set(days) - {"0", "1"} or "1" not in days:
        raise ValueError("its days of the week are none")
    return days


def _place(day: Any, days: Any, roll: Any) -> Place:
    if roll not in ("", "forward", "backward") or not _whole(day, -31, 31) or (roll and not days):
        raise ValueError("its place of the month is none")
    return Place(day, _mask(days) if days else "", roll)
