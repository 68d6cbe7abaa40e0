"""Reading time stamps: texts, dates, numbers; with a zone, or without."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.data.series.basic_dates import NO_NUMBERS, basic_dates, no_dates
from loopcell.data.series.showing import shown
from loopcell.data.series.zones import (
    UTC_NAME,
    check_zone,
    has_changes,
    instants,
    is_left_out,
    is_zone,
    offset_at,
    offset_name,
    second_instants,
    wall,
    zones_that,
)
from loopcell.errors import DataError, UsageError, quoted

Times = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

_WHOLE = re.compile(r"-?\d+")
_MONTH = re.compile(r"\d{4}-\d{2}")
_MIDNIGHT = re.compile(r"(.{8,10})[T ]24(?::?00(?::?00(?:[.,]0+)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?")
_FRACTION = re.compile(r"(.*\d)[.,](\d{6})(\d+)(.*)")
_EPOCH = datetime(1970, 1, 1)
_SAMPLE = 48  # instants at which a zone is tried before all are


class Stamps(NamedTuple):
    """Times of a column.

    Attributes:
        times: datetime64[us], or [ns] where microseconds do not tell them apart, in UTC if they have a zone; int64 or
            float64 for numbers. `[T]`.
        zone: the name of their zone, or their offset; None for times without one.
        notes: what the user should know of how they were read.
    """

    times: Times
    zone: str | None = None
    notes: tuple[str, ...] = ()


class _Stamp(NamedTuple):
    """One time stamp: nanoseconds since 1970, in UTC if it has an offset; the offset in seconds; the zone's name."""

    nanos: int
    offset: int | None
    zone: str | None = None


def read_stamps(cells: Sequence[Any], zone: str | None = None) -> Stamps:
    """Turn a column of times into an array.

    Args:
        cells: ISO 8601 texts (`2016-07-01 13:00`, `1949-01`, `20240131`), dates, datetimes, or numbers. Whole numbers
            that all are dates (20240131, 202401) are read as such.
        zone: of whose wall clock times without an offset are.

    Raises:
        DataError: one is missing or cannot be read, or some have a zone and others none; the message names file and
            row.
        UsageError: there is no such zone, or the times are numbers.
    """
    if zone is not None:
        check_zone(zone)
    found = _dates(cells) or _array(cells) or _numbers(cells) or _texts(cells)
    if found.times.dtype.kind != "M":
        found = found._replace(notes=no_dates(cells))
    if zone is None:
        return found
    if found.times.dtype.kind != "M":
        raise UsageError(f"zone={zone!r} is for time stamps, and the times are numbers like {quoted(cells[0])}")
    if found.zone is not None:  # what was to be said of it no longer matters
        return Stamps(found.times, zone)
    return found._replace(times=_placed(found.times, zone, cells), zone=zone)


# --- whole columns -------------------------------------------------------------------------------------------------


def _dates(cells: Sequence[Any]) -> Stamps | None:
    """Read whole numbers that all are dates."""
    found = basic_dates(cells)
    return None if found is None else Stamps(found[0], None, (found[1],))


def _array(cells: Sequence[Any]) -> Stamps | None:
    """Return an array of whole numbers or of time stamps."""
    if not isinstance(cells, np.ndarray) or not len(cells):
        return None
    if cells.dtype.kind in "iu":
        return Stamps(cells.astype(np.int64)) if cells.dtype != np.uint64 or (cells < 2**63).all() else None
    if cells.dtype.kind != "M" or np.isnat(cells).any():
        return None
    micros = cells.astype("datetime64[us]")
    if (micros.astype(cells.dtype) == cells).all():
        return Stamps(micros)
    nanos = cells.astype("datetime64[ns]")
    wrong = np.flatnonzero((nanos.astype(cells.dtype) != cells) | (np.abs(nanos - micros) > np.timedelta64(1, "us")))
    if len(wrong):
        raise DataError(
            f"{where(cells, int(wrong[0]))}: the time {cells[wrong[0]]} cannot be kept: times finer than a microsecond "
            "are kept in nanoseconds, from 1678 to 2261"
        )
    return Stamps(nanos)


def _numbers(cells: Sequence[Any]) -> Stamps | None:
    for kind, dtype in ((_whole, np.int64), (_float, np.float64)):
        if len(cells) and _fits(cells[0], kind):
            return Stamps(np.array(_converted(cells, kind), dtype))
    return None


def _texts(cells: Sequence[Any]) -> Stamps:
    stamps = _converted(cells, _stamp)
    nanos = [stamp.nanos for stamp in stamps]
    fine = any(nano % 1000 for nano in nanos)
    far = next((at for at, nano in enumerate(nanos) if fine and abs(nano) >= 2**63), None)
    if far is not None:
        raise _unreadable(cells, far)
    counts = np.array(nanos if fine else [nano // 1000 for nano in nanos], np.int64)
    times = counts.astype("datetime64[ns]" if fine else "datetime64[us]")
    aware = [stamp.offset is not None for stamp in stamps]
    if not any(aware):
        return Stamps(times)
    if not all(aware):
        raise _mixed(cells, aware)
    return Stamps(times, *_zone_of(times, stamps))


def _mixed(cells: Sequence[Any], aware: list[bool]) -> DataError:
    """Return the error of a column in which some times have a zone."""
    at = aware.index(not aware[0])
    with_zone, without = (0, at) if aware[0] else (at, 0)
    return DataError(
        f"{where(cells, at)}: {quoted(str(cells[with_zone]), 40)} ({where(cells, with_zone)}) has a zone and "
        f"{quoted(str(cells[without]), 40)} ({where(cells, without)}) has none; write all times with a zone, or none"
    )


def _zone_of(times: Times, stamps: list[_Stamp]) -> tuple[str, tuple[str, ...]]:
    """Return the zone of times with offsets, and what is to be said of it."""
    names = {stamp.zone for stamp in stamps}
    if len(names) == 1 and (name := next(iter(names))) is not None and is_zone(name):
        return name, ()
    ahead = np.array([stamp.offset for stamp in stamps], np.int64)
    if len(np.unique(ahead)) == 1:
        return (offset_name(int(ahead[0])) if ahead[0] else UTC_NAME), ()
    found = zones_with(times, ahead)
    if not found:
        shown_offsets = ", ".join(offset_name(int(one)) for one in np.unique(ahead)[:4])
        return UTC_NAME, (f"the times have offsets of several zones ({shown_offsets}); forecasts are written in UTC",)
    others = f" and of {len(found) - 1} more zones" if len(found) > 1 else ""
    note = (
        f"the offsets of the times are those of {found[0]}{others}: summer time goes on as there, unless another zone "
        "is named (zone=)"
    )
    return found[0], (note,)


def zones_with(times: Times, ahead: Ints) -> list[str]:
    """Return the zones whose clocks are ahead of UTC by some seconds [T] at some instants [T].

    A time that clocks leave out may have the offset from before they were set forward.
    """
    changes = np.flatnonzero(np.diff(ahead))[: _SAMPLE // 2]
    even = np.linspace(0, len(times) - 1, _SAMPLE // 2).astype(np.int64)
    tried = np.unique(np.concatenate([even, changes, changes + 1]))
    seconds = times.astype("datetime64[s]").astype(np.int64)
    pairs = [(int(seconds[at]), int(ahead[at])) for at in tried]
    found = zones_that(
        lambda zone: all(offset_at(at, zone) == offset or is_left_out(at, offset, zone) for at, offset in pairs)
    )
    there = times + ahead.astype("timedelta64[s]")
    return [
        zone for zone in found if ((instants(there, zone) == times) | (second_instants(there, zone) == times)).all()
    ]


def _placed(times: Times, zone: str, cells: Sequence[Any]) -> Times:
    """Return the instants of times on the wall clock of a zone; an hour that comes twice is told by the order.

    Of a column of days, a day whose midnight is left out begins when its clocks first show a time.

    Raises:
        DataError: a clock never shows such a time.
    """
    found, second = instants(times, zone), second_instants(times, zone)
    missing = np.flatnonzero(wall(found, zone) != times)
    if len(missing) and (times != times.astype("datetime64[D]")).any():
        first = int(missing[0])
        raise DataError(
            f"{where(cells, first)}: clocks in {zone} never show {shown(times[first])}: they are set forward over it"
        )
    for at in np.flatnonzero(second > found).tolist():
        if at and found[at] <= found[at - 1]:
            found[at] = second[at]
    return found


# --- one cell ------------------------------------------------------------------------------------------------------


def _converted(cells: Sequence[Any], convert: Callable[[Any], Any]) -> list[Any]:
    found = []
    for index in range(len(cells)):
        try:
            found.append(convert(cells[index]))
        except (ValueError, TypeError, OverflowError) as error:
            raise _unreadable(cells, index) from error
    return found


def _unreadable(cells: Sequence[Any], index: int) -> DataError:
    cell = cells[index]
    what = "there is no time" if cell in (None, "") else f"{quoted(str(cell), 40)} is no time"
    first = quoted(str(cells[0]) if isinstance(cells[0], np.datetime64) else cells[0], 40)
    like = f"like {first}" if index else "as ISO 8601 writes it, 2016-07-01 13:00, or a number"
    return DataError(f"{where(cells, index)}: {what} {like}")


def _fits(cell: Any, convert: Callable[[Any], Any]) -> bool:
    try:
        convert(cell)
    except (ValueError, TypeError):
        return False
    return True


def _whole(cell: Any) -> int:
    text = isinstance(cell, str) and _WHOLE.fullmatch(cell.strip())
    if not text and (not isinstance(cell, int | np.integer) or isinstance(cell, NO_NUMBERS)):
        raise ValueError
    value = int(cell)
    if not -(2**63) <= value < 2**63:
        raise ValueError("a number of more than 64 bits")
    return value


def _float(cell: Any) -> float:
    exact = isinstance(cell, (*NO_NUMBERS, int, np.integer))
    if exact or (isinstance(cell, str) and _WHOLE.fullmatch(cell.strip())):
        return float(_whole(cell))
    value = float(cell)
    if not np.isfinite(value):
        raise ValueError
    return value


def _stamp(cell: Any) -> _Stamp:
    if isinstance(cell, str):
        return _from_text(cell.strip())
    if isinstance(cell, datetime):
        return _from_datetime(cell, int(getattr(cell, "nanosecond", 0)))
    if isinstance(cell, date):
        return _Stamp((cell - _EPOCH.date()).days * 86_400 * 10**9, None)
    if hasattr(cell, "start_time") and hasattr(cell, "to_timestamp"):  # a period of pandas
        return _from_datetime(cell.to_timestamp(), 0)
    if isinstance(cell, np.datetime64) and not np.isnat(cell):
        return _Stamp(_nanos(cell), None)
    raise ValueError("no time")


def _from_text(text: str) -> _Stamp:
    """Read ISO 8601, with up to nine digits of a second, and with 24:00 for the end of a day."""
    nanos = 0
    if "." in text or "," in text:
        text, nanos = _without_nanos(text)
    try:
        return _from_datetime(datetime.fromisoformat(text), nanos)
    except ValueError:
        if _MONTH.fullmatch(text):
            return _Stamp(_nanos(np.datetime64(text, "D")), None)
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


def _from_datetime(time: datetime, nanos: int) -> _Stamp:
    if time.tzinfo is None:
        return _Stamp(_count(time, nanos), None)
    ahead = time.utcoffset() or timedelta()
    there: Any = time.tzinfo
    name = getattr(there, "key", None) or getattr(there, "zone", None)
    nanos += _count(time.replace(tzinfo=None), 0) - (ahead // timedelta(microseconds=1)) * 1000
    return _Stamp(nanos, round(ahead.total_seconds()), str(name) if has_changes(name) else None)


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
