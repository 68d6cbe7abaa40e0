"""Dates written as whole numbers: ISO 8601's basic form, 20240131, also with hours, without days, or YYYYDDD."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.data.series.showing import shown
from loopcell.errors import DataError, quoted

Times = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

NO_NUMBERS = (bool, np.bool_, np.timedelta64, np.datetime64, complex, np.complexfloating)  # though they convert
_POINT = re.compile(r"\.0+$")  # whole numbers as a column of floats is written
_BASIC = {6: "YYYYMM", 7: "YYYYDDD", 8: "YYYYMMDD", 10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}
_YEARS = (1800, 2200)  # of dates that are written as whole numbers
FEW = 0.1  # of such dates may be wrong, and are errors; of more, the numbers are no dates


def basic_dates(cells: Sequence[Any]) -> tuple[Times, str] | None:
    """Read dates without separators, ISO 8601's basic form; None where cells are something else.

    Raises:
        DataError: nearly all cells are such dates, and one is not.
    """
    read = _read(cells)
    if read is None:
        return None
    first, times = read
    wrong = np.flatnonzero(np.isnat(times))
    if len(wrong) > FEW * len(cells):
        return None
    if len(wrong):
        at = int(wrong[0])
        raise DataError(
            f"{where(cells, at)}: {quoted(str(cells[at]))} is no date like {quoted(str(cells[0]))} in the form "
            f"{_BASIC[len(first)]} (to count rows instead, leave out time=)"
        )
    name = getattr(cells, "name", "")
    of = f" of column {name!r}" if name else ""
    note = (
        f"the times{of} are read as dates in the form {_BASIC[len(first)]}: {first} is {shown(times[0])} (to count "
        "rows instead, leave out time=)"
    )
    return times, note


def no_dates(cells: Sequence[Any]) -> tuple[str, ...]:
    """Say which cell makes numbers of cells that begin with a date of eight digits or more, where one does."""
    read = _read(cells)
    if read is None or len(read[0]) < 8:
        return ()
    first, times = read
    wrong = np.flatnonzero(np.isnat(times))
    if not len(wrong):
        return ()
    one = f"{quoted(str(cells[0]))} is one in the form {_BASIC[len(first)]}"
    return (f"the times are read as numbers, not as dates: {one}, {quoted(str(cells[int(wrong[0])]))} none",)


def _read(cells: Sequence[Any]) -> tuple[str, Times] | None:
    """Return the first cell's digits and all cells as dates like it, NaT for others; None where it is no date."""
    first = _digits(cells[0]) if len(cells) else None
    if first is None or len(first) not in _BASIC or np.isnat(_as_dates(np.array([int(first)]), len(first))[0]):
        return None
    digits = [_digits(cell) for cell in cells]
    numbers = np.array([int(one) if one and len(one) == len(first) else 0 for one in digits], np.int64)
    return first, _as_dates(numbers, len(first))


def _digits(cell: Any) -> str | None:
    if isinstance(cell, str):
        text = _POINT.sub("", cell.strip())
    elif isinstance(cell, NO_NUMBERS) or not isinstance(cell, int | float | np.integer | np.floating) or cell % 1:
        return None
    else:
        text = str(int(cell))
    return text if text.isascii() and text.isdigit() else None


def _as_dates(numbers: Ints, digits: int) -> Times:
    """Read YYYYMM and longer as time stamps; NaT for what is no date."""
    if digits == 7:
        return _days_of_year(numbers)
    padded = numbers * 10 ** (14 - digits)
    year, month, day = padded // 10**10, padded // 10**8 % 100, padded // 10**6 % 100
    day = np.maximum(day, 1) if digits == 6 else day
    return days_and_clock(year, month, day, padded // 10**4 % 100, padded // 100 % 100, padded % 100)


def days_and_clock(year: Ints, month: Ints, day: Ints, hour: Ints, minute: Ints, second: Ints) -> Times:
    """Put the parts of times together, each `[T]`; NaT for what is no time; hour 24 is the end of a day."""
    months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (np.clip(day, 1, 31) - 1)
    there = (year >= _YEARS[0]) & (year < _YEARS[1]) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    there &= days.astype("datetime64[M]") == months
    there &= (np.minimum(np.minimum(hour, minute), second) >= 0) & (minute < 60) & (second < 60)
    there &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0))
    clock = np.where(there, hour * 3600 + minute * 60 + second, 0).astype("timedelta64[s]")
    return np.where(there, days.astype("datetime64[us]") + clock, np.datetime64("NaT", "us"))


def _days_of_year(numbers: Ints) -> Times:
    """Read YYYYDDD, the day of the year."""
    years = (numbers // 1000 - 1970).astype("datetime64[Y]")
    days = years.astype("datetime64[D]") + (numbers % 1000 - 1)
    there = (days.astype("datetime64[Y]") == years) & (numbers // 1000 >= _YEARS[0]) & (numbers // 1000 < _YEARS[1])
    return np.where(there, days.astype("datetime64[us]"), np.datetime64("NaT", "us"))
