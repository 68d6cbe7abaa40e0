"""Times in a form that the user names, as `datetime.strptime` has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from loopcell.data.series.basic_dates import NO_NUMBERS
from loopcell.data.series.epochs import unit_named
from loopcell.data.series.one_stamp import Stamp, as_stamp, from_datetime
from loopcell.errors import UsageError

_YEAR = re.compile(r"(?<!%)(?:%%)*%[YyGcx]")
_POINT = re.compile(r"\.0+$")  # whole numbers as a column of floats is written


def problem_of(time_format: str) -> str:
    """Return what is wrong with a form of times; "" for nothing."""
    if unit_named(time_format) is not None:
        return ""
    like = "write it like '%d/%m/%Y %H:%M', or s, ms, us or ns for numbers since 1970"
    if not _YEAR.search(time_format):
        return f"a form of times has a year (%Y): {like}"
    try:
        datetime.strptime(datetime(2024, 2, 3, tzinfo=UTC).strftime(time_format), time_format)
    except (ValueError, KeyError, re.error) as error:
        return f"this is no form of times ({error}): {like}"
    return ""


def by_format(time_format: str) -> Callable[[Any], Stamp]:
    """Return what reads one cell in a form, and raises ValueError for a cell that is written otherwise.

    Raises:
        UsageError: it is no form of times, or has no year.
    """
    problem = problem_of(time_format)
    if problem:
        raise UsageError(f"time_format={time_format!r}: {problem}")

    def convert(cell: Any) -> Stamp:
        if isinstance(cell, date | np.datetime64) or hasattr(cell, "to_timestamp"):
            return as_stamp(cell)
        if isinstance(cell, str):
            return from_datetime(datetime.strptime(cell.strip(), time_format), 0)
        if cell is None or isinstance(cell, NO_NUMBERS):
            raise ValueError("no time")
        return from_datetime(datetime.strptime(_POINT.sub("", str(cell)), time_format), 0)

    return convert
