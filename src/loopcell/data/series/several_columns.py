"""Times whose parts stand in several columns: year, month, day, hour, ...; or a date and a time of the day.

The names of the columns tell which is which; names that do not are taken in the order of the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing_values import NONE_NAMED
from loopcell.data.readers.origins import Origin
from loopcell.data.readers.records import Column, where
from loopcell.data.series.basic_dates import days_and_clock
from loopcell.data.series.one_stamp import as_whole
from loopcell.data.series.stamps import Stamps, read_stamps
from loopcell.errors import DataError, UsageError, quoted

Ints = npt.NDArray[np.int64]

# The parts of a time, and how columns of them are called: whole words, without what is no letter around them.
PARTS = {
    "year": ("year", "years", "yr", "yyyy", "연", "년", "연도", "년도"),
    "month": ("month", "months", "mon", "mo", "mnth", "월"),
    "day": ("day", "days", "dd", "dom", "dayofmonth", "일"),
    "hour": ("hour", "hours", "hr", "hh", "시", "시간"),
    "minute": ("minute", "minutes", "min", "mins", "분"),
    "second": ("second", "seconds", "sec", "secs", "초"),
}
_START = {"month": 1, "day": 1}


def read_time_columns(
    columns: Sequence[Sequence[Any]],
    names: Sequence[str],
    zone: str | None = None,
    time_format: str | None = None,
    order: str = "",
) -> Stamps:
    """Turn the columns of times into an array.

    Args:
        columns: one, as `read_stamps` takes it, or several: whole numbers for the parts of a time, or texts that make
            one with a blank between them.
        names: of the columns.
        zone: of whose wall clock times without an offset are.
        time_format: how times are written, as for `read_stamps`; that of several columns with blanks between them.
        order: what stands first in dates, for columns that do not tell.

    Raises:
        DataError: a part is missing or no whole number, or the parts are no date; the message names file and row.
        UsageError: it is not clear which column is which part, or as `read_stamps`.
    """
    if len(columns) == 1:
        return read_stamps(columns[0], zone, time_format, order)
    if time_format is not None or not _are_numbers(columns):
        return read_stamps(_joined(columns), zone, time_format, order)
    parts, notes = _parts_of(names)
    found = {part: _whole_numbers(column, name) for part, column, name in zip(parts, columns, names, strict=True)}
    size = len(columns[0])
    ordered = [found.get(part, np.full(size, _START.get(part, 0), np.int64)) for part in PARTS]
    times = days_and_clock(*ordered)
    wrong = np.flatnonzero(np.isnat(times))
    if len(wrong):
        at = int(wrong[0])
        shown = ", ".join(f"{part} {found[part][at]}" for part in PARTS if part in found)
        raise DataError(f"{where(columns[0], at)}: there is no such time: {shown}{_of_other_forms(found)}")
    if zone is None:
        return Stamps(times, None, notes)
    return read_stamps(_at_the_origins(list(times), columns[0]), zone)._replace(notes=notes)


def _of_other_forms(found: dict[str, Ints]) -> str:
    """Return advice for years of two digits, and for whole dates in one number."""
    short, whole = (found["year"] < 100).all(), (found["year"] > 9999).all()
    if not (short or whole):
        return ""
    form = "%y %m %d" if short else "%Y%m%d %H%M"
    return f"; the form of the columns together, with blanks between them, can be named: time_format={form!r}"


def _parts_of(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the part that each column is, and what is to be said of it."""
    known = [_part_named(name) for name in names]
    order = tuple(PARTS)
    if None not in known:
        parts = tuple(part for part in known if part is not None)
        if sorted(map(order.index, parts)) != list(range(len(parts))):
            raise UsageError(
                f"the columns of the time are {', '.join(names)}: a time has its year, month, day, hour, minute and "
                "second, each once, and none before its last one is left out"
            )
        return parts, ()
    if len(names) > len(order):
        raise UsageError(f"a time has at most {len(order)} columns of numbers ({', '.join(order)}), got {len(names)}")
    wrong = next((name for name, part, of in zip(names, known, order, strict=False) if part not in (None, of)), None)
    if wrong is not None:
        raise UsageError(
            f"it is not clear which columns of the time are {', '.join(order[: len(names)])}: {quoted(wrong)} stands "
            f"in another place; name them in this order (time=)"
        )
    said = ", ".join(f"{name} the {part}" for name, part in zip(names, order, strict=False))
    return order[: len(names)], (f"the times are read by the order of their columns: {said}",)


def _part_named(name: str) -> str | None:
    plain = "".join(letter for letter in name.casefold() if letter.isalpha())
    return next((part for part, words in PARTS.items() if plain in words), None)


def _are_numbers(columns: Sequence[Sequence[Any]]) -> bool:
    """Return whether every column begins with a whole number, which the first row tells."""
    return all(len(column) and _whole(column[0]) is not None for column in columns)


def _whole_numbers(column: Sequence[Any], name: str) -> Ints:
    found = [_whole(column[index]) for index in range(len(column))]
    wrong = next((at for at, number in enumerate(found) if number is None), None)
    if wrong is not None:
        cell = column[wrong]
        what = "the cell is empty" if NONE_NAMED.in_numbers(cell) else f"{quoted(str(cell), 40)} is no whole number"
        raise DataError(f"{where(column, wrong)}, column {name!r}: {what}, and it is a part of the time")
    return np.array(found, np.int64)


def _whole(cell: Any) -> int | None:
    """Return a whole number of at most nine digits, which a column of floats may have too; None for anything else."""
    try:
        found = int(cell) if isinstance(cell, float | np.floating) and cell == int(cell) else as_whole(cell)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if abs(found) < 10**9 else None


def _joined(columns: Sequence[Sequence[Any]]) -> Sequence[str]:
    """Return the texts of several columns with blanks between them; "" where one of them is not there."""
    rows = [[_text(column[index]) for column in columns] for index in range(len(columns[0]))]
    return _at_the_origins([" ".join(row) if all(row) else "" for row in rows], columns[0])


def _at_the_origins(cells: list[Any], column: Sequence[Any]) -> Sequence[Any]:
    """Return cells with the origins of a column, if it has some: errors name them."""
    origins = getattr(column, "origins", None)
    return cells if origins is None else Column(cells, origins)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    number = _whole(cell)
    return "" if NONE_NAMED.in_numbers(cell) else str(cell if number is None else number)


def with_rows(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column that knows its rows, for errors; plain arrays of times are read as they are."""
    if isinstance(column, Column):
        return column
    values: Any = np.asarray(column)
    plain = values.dtype.kind in "iu" or (values.dtype.kind == "M" and not np.isnat(values).any())
    return values if plain else Column(list(values), [Origin("data", row) for row in range(1, len(values) + 1)])
