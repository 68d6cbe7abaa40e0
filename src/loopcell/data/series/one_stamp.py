"""One time as it stands in a cell: a text, a date, a number."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.series.basic_dates import NO_NUMBERS
from loopcell.data.series.zones import has_changes

_WHOLE = re.compile(r"-?\d+")
_MONTH = re.compile(r"\d{4}-\d{2}")
_MIDNIGHT = re.compile(r"(.{8,10})[T ]24(?::?00(?::?00(?:[.,]0+)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?")
_FRACTION = re.compile(r"(.*\d)[.,](\d{6})(\d+)(.*)")
_EPOCH = datetime(1970, 1, 1)


class Stamp(NamedTuple):
    """One time stamp: nanoseconds since 1970, in UTC if it has an offset; the offset in seconds; the zone's name."""

    nanos: int
    offset: int | None
    zone: str | None = None


def as_whole(cell: Any) -> int:
    """Read a whole number of 64 bits; ValueError for anything else."""
    text = isinstance(cell, str) and _WHOLE.fullmatch(cell.strip())
    if not text and (not isinstance(cell, int | np.integer) or isinstance(cell, NO_NUMBERS)):
        raise ValueError
    value = int(cell)
    if not -(2**63) <= value < 2**63:
        raise ValueError("a number of more than 64 bits")
    return value


def as_float(cell: Any) -> float:
    """Read a finite number; ValueError or TypeError for anything else."""
    exact = isinstance(cell, (*NO_NUMBERS, int, np.integer))
    if exact or (isinstance(cell, str) and _WHOLE.fullmatch(cell.strip())):
        return float(as_whole(cell))
    value = float(cell)
    if not np.isfinite(value):
        raise ValueError
    return value


def as_stamp(cell: Any) -> Stamp:
    """Read a text of ISO 8601, a date, a datetime or a period of pandas; ValueError for anything else."""
    if isinstance(cell, str):
        return _from_text(cell.strip())
    if isinstance(cell, datetime):
        return from_datetime(cell, int(getattr(cell, "nanosecond", 0)))
    if isinstance(cell, date):
        return Stamp((cell - _EPOCH.date()).days * 86_400 * 10**9, None)
    if hasattr(cell, "start_time") and hasattr(cell, "to_timestamp"):  # a period of pandas
        return from_datetime(cell.to_timestamp(), 0)
    if isinstance(cell, np.datetime64) and not np.isnat(cell):
        return Stamp(_nanos(cell), None)
    raise ValueError("no time")


def _from_text(text: str) -> Stamp:
    """Read ISO 8601, with up to nine digits of a second, and with 24:00 for the end of a day."""
    nanos = 0
    if "." in text or "," in text:
        text, nanos = _without_nanos(text)
    try:
        return from_datetime(datetime.fromisoformat(text), nanos)
    except ValueError:
        if _MONTH.fullmatch(text):
            return Stamp(_nanos(np.datetime64(text, "D")), None)
        midnight = _MIDNIGHT.fullmatch(text)
        if midnight is None:
            raise
    found = _from_text(f"{midnight[1]}T00:00{midnight[2] or ''}")
    return found._replace(nanos=found.nanos + 86_400 * 10**9)


def _without_nanos(text: str) -> tuple[str, int]:
    """Return a text without the digits after microseconds, and the nanoseconds that they are."""
    fraction = _FRACTION.fullmatch(text)
    if fraction is None:
        return text, 0
    if fraction[3][3:].strip("0"):
        raise ValueError("finer than a nanosecond")
    return f"{fraction[1]}.{fraction[2]}{fraction[4]}", int(f"{fraction[3]:0<3}"[:3])


def from_datetime(time: datetime, nanos: int) -> Stamp:
    """Return the stamp of a datetime and of the nanoseconds that it cannot hold."""
    if time.tzinfo is None:
        return Stamp(_count(time, nanos), None)
    ahead = time.utcoffset() or timedelta()
    there: Any = time.tzinfo
    name = getattr(there, "key", None) or getattr(there, "zone", None)
    nanos += _count(time.replace(tzinfo=None), 0) - (ahead // timedelta(microseconds=1)) * 1000
    return Stamp(nanos, round(ahead.total_seconds()), str(name) if has_changes(name) else None)


def _count(time: datetime, nanos: int) -> int:
    """Return a zoneless time in nanoseconds since 1970; pandas' own kind of times would count `nanos` by itself."""
    plain = time if type(time) is datetime else datetime.combine(time.date(), time.time())
    apart = plain - _EPOCH
    return ((apart.days * 86_400 + apart.seconds) * 10**6 + apart.microseconds) * 1000 + nanos


def _nanos(time: np.datetime64) -> int:
    """Return a time in nanoseconds since 1970, whatever unit the time is in."""
    seconds = time.astype("datetime64[s]")
    rest = (time - seconds).astype("timedelta64[ns]")
    if seconds + rest != time:
        raise ValueError("finer than a nanosecond")
    return int(seconds.astype(np.int64)) * 10**9 + int(rest.astype(np.int64))
