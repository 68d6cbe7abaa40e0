"""`.tsf`, the format of the Monash archive of forecasting: a series a line; here a row for each of its steps.

Godahewa, Bergmeir, Webb, Hyndman, Montero-Manso: Monash Time Series Forecasting Archive, 2021 (arXiv 2105.06643).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.missing_values import NONE_NAMED
from loopcell.data.readers.lines import lines
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, file_origin, twice_in
from loopcell.errors import DataError, escaped, quoted

TIME, VALUE = "time", "value"
_START_FORM = "%Y-%m-%d %H-%M-%S"

# Names of frequencies: so many months, or so many of numpy's units of time.
_NAMED = {
    "yearly": (12, "M"), "quarterly": (3, "M"), "monthly": (1, "M"), "weekly": (7, "D"), "daily": (1, "D"),
    "hourly": (1, "h"), "half_hourly": (30, "m"), "minutely": (1, "m"), "secondly": (1, "s"),
}  # fmt: skip
_COUNTED = re.compile(r"(\d{1,6})_(year|month|week|day|hour|minute|second)s?")
_UNITS = {"year": (12, "M"), "month": (1, "M"), "week": (7, "D"), "day": (1, "D"), "hour": (1, "h"), "minute": (1, "m"),
          "second": (1, "s")}  # fmt: skip


class _Header(NamedTuple):
    """The lines before the data: names and types of what stands before the values, and what lies between two values."""

    names: tuple[str, ...]
    dates: tuple[bool, ...]
    every: tuple[int, str] | None

    @property
    def timed(self) -> bool:
        """True where the times of values are known: from a date at which series start, and a frequency."""
        return self.every is not None and sum(self.dates) == 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of rows: the attributes, of which the start becomes the time, and the value."""
        kept = [name for name, date in zip(self.names, self.dates, strict=True) if not (date and self.timed)]
        return (*kept, *([TIME] if self.timed else []), VALUE)


def read_tsf(path: Path, reading: Reading) -> FileRows:
    """Read a `.tsf` file: the attributes of a series, `time` where its start and frequency are said, and `value`.

    A missing value (`?`) is None. The times are written as ISO 8601 writes them.
    """
    text = enumerate(lines(path, reading.encoding), 1)
    header = _header(path, text)
    twice = twice_in(header.columns)
    if twice is not None:
        raise DataError(f"{path} has two columns {quoted(twice)}; `time` and `value` are those of the steps")
    return FileRows(header.columns, _rows(path, text, header, reading))


def _header(path: Path, text: Iterator[tuple[int, str]]) -> _Header:
    names, dates, every = list[str](), list[bool](), None
    for number, line in text:
        word, *rest = line.strip().split() or [""]
        if word.lower() == "@data":
            return _Header(tuple(names), tuple(dates), every)
        if word.lower() == "@attribute" and len(rest) == 2:
            names.append(rest[0])
            dates.append(rest[1].lower() == "date")
        elif word.lower() == "@frequency" and len(rest) == 1:
            every = _frequency(path, number, rest[0])
        elif word.lower() in ("@attribute", "@frequency") or (word and not word.startswith(("#", "@"))):
            raise DataError(f"{path} line {number} is not a header of .tsf: {quoted(line.strip(), 40)}")
    raise DataError(f"{path} is not .tsf: it has no line @data")


def _frequency(path: Path, number: int, name: str) -> tuple[int, str]:
    plain = name.lower().replace("-", "_")
    counted = _COUNTED.fullmatch(plain)
    if counted is not None and int(counted[1]):
        count, unit = _UNITS[counted[2]]
        return count * int(counted[1]), unit
    if plain not in _NAMED:
        there = ", ".join(_NAMED)
        raise DataError(f"{path} line {number}: there is no frequency {quoted(name, 40)}: {there}, 10_minutes, ...")
    return _NAMED[plain]


def _rows(path: Path, text: Iterator[tuple[int, str]], header: _Header, reading: Reading) -> Iterator[Record]:
    row = 0
    for number, line in text:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        try:
            facts, values, times = _series(bare, header)
        except ValueError as error:
            reading.bad_row(file_origin(path, row + 1, number), "lines that are no series", str(error))
            continue
        for at, value in enumerate(values):
            row += 1
            time = {TIME: times[at]} if header.timed else {}
            yield Record(facts | time | {VALUE: value}, file_origin(path, row, number))


def _series(line: str, header: _Header) -> tuple[dict[str, str], list[float | None], list[str]]:
    """Return what is known of a series, its values and its times; ValueError says what is wrong with its line."""
    cells = line.split(":")
    if len(cells) != len(header.names) + 1:
        raise ValueError(f"it has {len(cells) - 1} attributes, and there are {len(header.names)}")
    values = [_value(cell, at) for at, cell in enumerate(cells[-1].split(","), 1)]
    known = dict(zip(header.names, (cell.strip() for cell in cells), strict=False))
    if not header.timed:
        return known, values, []
    start = known.pop(header.names[header.dates.index(True)])
    return known, values, _times(start, len(values), *(header.every or (1, "D")))


def _value(cell: str, at: int) -> float | None:
    if NONE_NAMED.in_numbers(cell):
        return None
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"its value {at} is no number: {escaped(cell.strip(), 40)}") from None


def _times(start: str, count: int, size: int, unit: str) -> list[str]:
    """Return the times of a series; months later it is the same day, or the last of a shorter month."""
    try:
        first = np.datetime64(datetime.strptime(start, _START_FORM), "s")
    except ValueError:
        raise ValueError(f"it starts at {escaped(start, 40)}, which is no time like 1997-12-31 00-00-00") from None
    ahead = np.arange(count) * size
    times = _months_later(first, ahead) if unit == "M" else first + ahead.astype(f"timedelta64[{unit}]")
    shown: list[str] = np.datetime_as_string(times, "s").tolist()
    return [time.replace("T00:00:00", "") for time in shown]


def _months_later(first: np.datetime64, ahead: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    month, day = first.astype("datetime64[M]"), first.astype("datetime64[D]")
    months = month + ahead.astype("timedelta64[M]")
    last = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    days = np.minimum(months.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)
    return np.asarray(days.astype("datetime64[s]") + (first - day.astype("datetime64[s]")))
