"""Dates as people write them, with the day or the month first: `16/12/2006 17:24`, `7/1/2016 1:00 PM`, `1.7.2016`.

Which of the two is first, the column tells: a number above 12 is no month. A column that does not tell is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.data.series.basic_dates import days_and_clock
from loopcell.data.series.showing import shown
from loopcell.errors import DataError, UsageError, quoted

Times = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

_DATE = re.compile(
    r"\s*(?P<one>\d{1,4})(?P<mark>[/.-])(?P<two>\d{1,2})(?P=mark)(?P<three>\d{1,4})"
    r"(?:(?P<gap>[T ,]+)(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,6}))?)?"
    r"(?P<blank>\s*)(?:(?P<half>[AaPp])[Mm])?)?\s*"
)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ORDERS = {"year": (0, 1, 2), "day": (2, 1, 0), "month": (2, 0, 1)}  # places of year, month and day
_FORMS = {"year": "%Y{0}%m{0}%d", "day": "%d{0}%m{0}%Y", "month": "%m{0}%d{0}%Y", "short": "%d{0}%m{0}%y"}


class WrittenDates(NamedTuple):
    """Dates that were read.

    Attributes:
        times: datetime64[us] `[T]`.
        order: what stands first in them: year, day or month.
        note: what says so.
    """

    times: Times
    order: str
    note: str


def written_dates(cells: Sequence[Any], known: str = "") -> WrittenDates | None:
    """Read such dates; None where the first cell is none, or is ISO 8601, which is read elsewhere.

    Args:
        cells: texts.
        known: what stands first, for a column that does not tell; "" where nothing is known.

    Raises:
        DataError: the first cell is such a date, and another one is not; the message names file and row.
        UsageError: nothing tells the day from the month.
    """
    first = _DATE.fullmatch(cells[0]) if len(cells) and isinstance(cells[0], str) else None
    if first is None or (_ISO_DATE.match(cells[0].strip()) and not first["half"]):
        return None
    parts = np.array([_parts(cells, index, first["mark"]) for index in range(len(cells))], np.int64)
    order = _order(cells, parts, first, known)
    year, month, day = (parts[:, place] for place in _ORDERS[order])
    times = days_and_clock(year, month, day, *parts[:, 3:6].T) + parts[:, 6].astype("timedelta64[us]")
    wrong = np.flatnonzero(np.isnat(times))
    if len(wrong):
        raise DataError(f"{where(cells, int(wrong[0]))}: {_shown(cells, int(wrong[0]))} is no date ({order} first)")
    note = (
        f"the times are read with the {order} first: {cells[0].strip()} is {shown(times[0])}; "
        f"time_format={_form(order, first)!r} says so, or otherwise"
    )
    return WrittenDates(times, order, note)


def check_order(order: Any) -> str:
    """Give back what stands first in dates, "" where nothing is known; ValueError for anything else."""
    if order not in ("", *_ORDERS):
        raise ValueError("its order of dates is none")
    return str(order)


def _form(order: str, first: re.Match[str]) -> str:
    """Return the form of times like the first one, as `datetime.strptime` has it."""
    date = _FORMS[order].format(first["mark"])
    if first["hour"] is None:
        return date
    clock = ("%I" if first["half"] else "%H") + ":%M" + (":%S" if first["second"] else "")
    fraction = ".%f" if first["fraction"] else ""
    return f"{date}{first['gap']}{clock}{fraction}" + (f"{first['blank']}%p" if first["half"] else "")


def _parts(cells: Sequence[Any], index: int, mark: str) -> tuple[int, ...]:
    """Return the three numbers of a date, hour, minute, second and microsecond."""
    cell = cells[index]
    found = _DATE.fullmatch(cell) if isinstance(cell, str) else None
    if found is None or found["mark"] != mark:
        what = "there is no time" if cell in (None, "") else f"{_shown(cells, index)} is no time"
        raise DataError(f"{where(cells, index)}: {what} like {_shown(cells, 0)}")
    hour = int(found["hour"] or 0)
    if found["half"]:
        hour = hour % 12 + 12 * (found["half"] in "Pp") if 1 <= hour <= 12 else 99  # which no clock shows
    date = (int(found["one"]), int(found["two"]), int(found["three"]))
    fraction = int(f"{found['fraction'] or '0':0<6}")
    return *date, hour, int(found["minute"] or 0), int(found["second"] or 0), fraction


def _order(cells: Sequence[Any], parts: Ints, first: re.Match[str], known: str) -> str:
    """Return what stands first: the year, the day or the month."""
    if (parts[:, 0] > 31).all():
        return "year"
    short = np.flatnonzero(parts[:, 2] < 1000)
    if len(short):
        at = int(short[0])
        raise UsageError(
            f"{where(cells, at)}: {_shown(cells, at)} does not say which number is the year: name the form, such as "
            f"time_format={_form('short', first)!r}"
        )
    days = [np.flatnonzero(parts[:, place] > 12) for place in (0, 1)]
    if len(days[0]) and len(days[1]):
        one, other = sorted((int(days[0][0]), int(days[1][0])))
        raise DataError(
            f"{where(cells, other)}: {_shown(cells, other)} has the day in another place than {_shown(cells, one)} "
            f"({where(cells, one)})"
        )
    if not (len(days[0]) or len(days[1]) or known):
        raise UsageError(
            f"{where(cells, 0)}: {_shown(cells, 0)} has the day or the month first, and no date of the column tells "
            f"which: name time_format={_form('day', first)!r} or time_format={_form('month', first)!r}"
        )
    return ("day" if len(days[0]) else "month") if len(days[0]) or len(days[1]) else known


def _shown(cells: Sequence[Any], index: int) -> str:
    return quoted(str(cells[index]), 40)
