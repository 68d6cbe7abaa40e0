"""Times whose parts stand in several columns: year, month, day, hour, ...; or a date and a time of the day.

The time of the day is a text (13:00), or numbers: the hour from 0 to 23, perhaps with its minute and second.

The names of the columns tell which is which; names that do not are taken in the order of the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing_values import NONE_NAMED
from loopcell.data.readers.records import Column, Origin, where
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
CLOCK = ("hour", "minute", "second")
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
    if time_format is None and (clock := _clock_beside_dates(columns, names)) is not None:
        return _dates_and_clock(columns, names, clock, (zone, order))
    if time_format is not None or not _are_numbers(columns):
        return read_stamps(_joined(columns), zone, time_format, order)
    parts, notes = _parts_of(names)
    found = {part: _whole_numbers(column, name) for part, column, name in zip(parts, columns, names, strict=True)}
    return _in_zone(Stamps(_times_of(found, columns[0], _of_other_forms(found)), None, notes), zone, columns[0])


def _times_of(found: dict[str, Ints], column: Sequence[Any], advice: str = "") -> npt.NDArray[Any]:
    """Put the parts of times together; DataError for what is no time, with the row of `column`, and advice."""
    ordered = [found.get(part, np.full(len(column), _START.get(part, 0), np.int64)) for part in PARTS]
    times = days_and_clock(*ordered)
    wrong = np.flatnonzero(np.isnat(times))
    if len(wrong):
        at = int(wrong[0])
        shown = ", ".join(f"{part} {found[part][at]}" for part in PARTS if part in found)
        raise DataError(f"{where(column, at)}: there is no such time: {shown}{advice}")
    return times


def _in_zone(found: Stamps, zone: str | None, column: Sequence[Any]) -> Stamps:
    """Put times on the wall clock of a zone, if there is one."""
    if zone is None:
        return found
    placed = read_stamps(_at_the_origins(list(found.times), column), zone)
    return placed._replace(notes=found.notes, order=found.order)


def _clock_beside_dates(columns: Sequence[Sequence[Any]], names: Sequence[str]) -> dict[str, int] | None:
    """Return the columns that are numbers of a clock by their parts, where the one other column has the dates."""
    parts = {part: at for at, name in enumerate(names) if (part := _part_named(name)) in CLOCK}
    rest = [at for at in range(len(names)) if at not in parts.values()]
    if len(rest) != 1 or tuple(sorted(parts, key=CLOCK.index)) != CLOCK[: len(parts)]:
        return None
    first = _whole(columns[rest[0]][0]) if len(columns[0]) else None
    is_part = first is not None and first <= 9999 and _part_named(names[rest[0]]) is not None  # 20240131 is a date
    if is_part or not _are_numbers([columns[at] for at in parts.values()]):
        return None
    hours = [_whole(columns[parts["hour"]][row]) for row in range(len(columns[0]))]
    # 0530 is an hour and a minute, which are read as text.
    return {part: parts[part] for part in CLOCK if part in parts} if max(hour or 0 for hour in hours) <= 24 else None


def _dates_and_clock(
    columns: Sequence[Sequence[Any]], names: Sequence[str], clock: dict[str, int], meant: tuple[str | None, str]
) -> Stamps:
    """Read a column of dates and, beside it, numbers of a clock.

    Args:
        columns: all of them.
        names: of the columns.
        clock: those of the clock, by their parts.
        meant: the zone of the clock, and what stands first in dates that do not tell.
    """
    (at,) = set(range(len(columns))) - set(clock.values())
    dates = read_stamps(columns[at], None, None, meant[1])
    days = dates.times.astype("datetime64[D]") if dates.times.dtype.kind == "M" else None
    if days is None or dates.zone is not None or (days != dates.times).any():
        what = "times of the day or a zone" if days is not None else "numbers that are no dates"
        raise DataError(
            f"{where(columns[at], 0)}: column {names[at]!r} has {what}, and beside {names[clock['hour']]!r}, which "
            "has hours, dates alone were expected: leave one of the two out of time="
        )
    numbers = {part: _whole_numbers(columns[place], names[place]) for part, place in clock.items()}
    months = days.astype("datetime64[M]")
    found = {
        "year": days.astype("datetime64[Y]").astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        **numbers,
    }
    return _in_zone(dates._replace(times=_times_of(found, columns[at])), meant[0], columns[at])


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
