"""Reading time stamps: texts, dates, numbers; with a zone, or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.data.series.basic_dates import basic_dates, no_dates
from loopcell.data.series.epochs import looks_like_epochs, read_epochs, unit_named
from loopcell.data.series.formats import by_format
from loopcell.data.series.one_stamp import Stamp, as_float, as_stamp, as_whole
from loopcell.data.series.showing import shown
from loopcell.data.series.written_dates import written_dates
from loopcell.data.series.zones import (
    UTC_NAME,
    check_zone,
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

_SAMPLE = 48  # instants at which a zone is tried before all are


class Stamps(NamedTuple):
    """Times of a column.

    Attributes:
        times: datetime64[us], or [ns] where microseconds do not tell them apart, in UTC if they have a zone; int64 or
            float64 for numbers. `[T]`.
        zone: the name of their zone, or their offset; None for times without one.
        notes: what the user should know of how they were read.
        order: what stands first in dates that are not ISO 8601: year, day or month; "" for others.
    """

    times: Times
    zone: str | None = None
    notes: tuple[str, ...] = ()
    order: str = ""


def read_stamps(
    cells: Sequence[Any], zone: str | None = None, time_format: str | None = None, order: str = ""
) -> Stamps:
    """Turn a column of times into an array.

    Args:
        cells: ISO 8601 texts (`2016-07-01 13:00`, `1949-01`, `20240131`), dates with the day or the month first where
            the column tells which (`16/12/2006 17:24`), dates, datetimes, or numbers. Whole numbers that all are dates
            (20240131, 202401) are read as such.
        zone: of whose wall clock times without an offset are.
        time_format: how texts and numbers are written: as `datetime.strptime` has it (`%Y/%m/%d %H:%M`), or s, ms, us
            or ns for numbers since 1970, in UTC; None for the above.
        order: what stands first in dates, for a column that does not tell; "" where nothing is known.

    Raises:
        DataError: one is missing or cannot be read, or some have a zone and others none; the message names file and
            row.
        UsageError: there is no such zone, or the times are numbers; or the column does not tell the day from the month.
    """
    if zone is not None:
        check_zone(zone)
    found = _of_any_form(cells, order) if time_format is None else _formatted(cells, time_format)
    if found.times.dtype.kind != "M":
        found = found._replace(notes=(*no_dates(cells), *looks_like_epochs(found.times)))
    if zone is None:
        return found
    if found.times.dtype.kind != "M":
        raise UsageError(f"zone={zone!r} is for time stamps, and the times are numbers like {quoted(cells[0])}")
    if found.zone is not None:  # what was to be said of it no longer matters
        return Stamps(found.times, zone)
    return found._replace(times=_placed(found.times, zone, cells), zone=zone)


def _of_any_form(cells: Sequence[Any], order: str = "") -> Stamps:
    return _dates(cells) or _array(cells) or _numbers(cells) or _written(cells, order) or _texts(cells)


def _formatted(cells: Sequence[Any], time_format: str) -> Stamps:
    """Read times whose form was said; what is a time already, as in a column of pandas, has none."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return _of_any_form(cells)
    unit = unit_named(time_format)
    if unit is not None:
        return Stamps(read_epochs(cells, unit), UTC_NAME)
    return _texts(cells, by_format(time_format), f"in the format {time_format!r}")


# --- whole columns -------------------------------------------------------------------------------------------------


def _dates(cells: Sequence[Any]) -> Stamps | None:
    """Read whole numbers that all are dates."""
    found = basic_dates(cells)
    return None if found is None else Stamps(found[0], None, (found[1],))


def _written(cells: Sequence[Any], order: str) -> Stamps | None:
    """Read dates with the day or the month first."""
    found = written_dates(cells, order)
    return None if found is None else Stamps(found.times, None, (found.note,), found.order)


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
    for kind, dtype in ((as_whole, np.int64), (as_float, np.float64)):
        if len(cells) and _fits(cells[0], kind):
            return Stamps(np.array(_converted(cells, kind), dtype))
    return None


def _texts(cells: Sequence[Any], convert: Callable[[Any], Stamp] = as_stamp, form: str = "") -> Stamps:
    stamps = _converted(cells, convert, form)
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


def _zone_of(times: Times, stamps: list[Stamp]) -> tuple[str, tuple[str, ...]]:
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


def _converted(cells: Sequence[Any], convert: Callable[[Any], Any], form: str = "") -> list[Any]:
    found = []
    for index in range(len(cells)):
        try:
            found.append(convert(cells[index]))
        except (ValueError, TypeError, OverflowError) as error:
            raise _unreadable(cells, index, form) from error
    return found


def _unreadable(cells: Sequence[Any], index: int, form: str = "") -> DataError:
    cell = cells[index]
    what = "there is no time" if cell in (None, "") else f"{quoted(str(cell), 40)} is no time"
    first = quoted(str(cells[0]) if isinstance(cells[0], np.datetime64) else cells[0], 40)
    like = f"like {first}" if index else "as ISO 8601 writes it, 2016-07-01 13:00, or a number"
    cure = "" if index or form else "; say how times are written, such as time_format='%d.%m.%y %H:%M'"
    return DataError(f"{where(cells, index)}: {what} {form or like}{cure}")


def _fits(cell: Any, convert: Callable[[Any], Any]) -> bool:
    try:
        convert(cell)
    except (ValueError, TypeError):
        return False
    return True
