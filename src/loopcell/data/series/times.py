"""Time stamps: reading them, and the step from one to the next, with gaps and duplicates named."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.errors import DataError

Times = npt.NDArray[Any]  # datetime64[us], int64 or float64, [T]

JITTER = 0.1  # of a step: time stamps are rounded (64 Hz in milliseconds is 15 and 16)
_WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True)
class Step:
    """What lies between two neighbouring times.

    Attributes:
        size: whole months if `calendar`; else microseconds of time stamps, or the difference of numbers.
        calendar: whether steps are months, which have different lengths.
        clock: whether times are time stamps, rather than numbers.
    """

    size: float
    calendar: bool = False
    clock: bool = True

    def __str__(self) -> str:
        """`1 hour`, `15 minutes`, `1 month`; of numbers, the number."""
        if not self.clock:
            return f"{self.size:g}"
        if self.calendar:
            return f"{self.size:g} month{'s' * (self.size != 1)}"
        units = (("day", 86_400e6), ("hour", 3_600e6), ("minute", 60e6), ("second", 1e6), ("millisecond", 1e3))
        name, unit = next(((name, unit) for name, unit in units if self.size >= unit), ("microsecond", 1.0))
        return f"{self.size / unit:g} {name}{'s' * (self.size != unit)}"

    def after(self, time: Any, count: int) -> Times:
        """The `count` times that follow `time`."""
        ahead = np.arange(1, count + 1)
        if not self.clock:
            return np.asarray(time + ahead * (int(self.size) if isinstance(time, np.integer) else self.size))
        if self.calendar:
            return _in_months(np.datetime64(time, "us"), ahead * int(self.size))
        return np.asarray(np.datetime64(time, "us") + np.round(ahead * self.size).astype("timedelta64[us]"))


def read_times(cells: Sequence[Any]) -> Times:
    """Turn time stamps into an array.

    Args:
        cells: ISO 8601 texts (`2016-07-01 13:00`, `1949-01`), dates, datetimes, or numbers. Times with a zone
            become UTC.

    Returns:
        datetime64[us], int64 or float64, `[T]`.

    Raises:
        DataError: one is missing or cannot be read; the message names its file and row.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iu":
        return cells.astype(np.int64)
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M" and not np.isnat(cells).any():
        return cells.astype("datetime64[us]")
    for kind in (_whole, _float):
        if len(cells) and _fits(cells[0], kind):
            return _converted(cells, kind, np.int64 if kind is _whole else np.float64)
    found = _converted(cells, _stamp, "datetime64[us]")
    missing = np.flatnonzero(np.isnat(found))
    if len(missing):
        raise _unreadable(cells, int(missing[0]))
    return found


def regular_step(times: Times, named: Callable[[int], str]) -> Step | None:
    """Find the step of times that rise evenly; None for fewer than two of them.

    Args:
        times: `[T]`.
        named: gives the file and row of a time, for errors.

    Raises:
        DataError: a time comes twice, goes back, or is not one step after the one before; the message names it, and the
            time of a gap.
    """
    check_rising(times, named)
    if len(times) < 2:
        return None
    step = _step(times)
    distances = _distances(times, step)
    wrong = np.flatnonzero(np.abs(distances - step.size) > JITTER * step.size)
    if len(wrong):
        raise _irregular(times, step, (distances, wrong), named)
    return step


def check_rising(times: Times, named: Callable[[int], str]) -> None:
    """Refuse times of which one comes twice or goes back; DataError names it."""
    differences = np.diff(times)
    wrong = np.flatnonzero(differences <= np.zeros(1, differences.dtype)[0])
    if not len(wrong):
        return
    at = int(wrong[0]) + 1
    if times[at] == times[at - 1]:
        raise DataError(
            f"{named(at)}: the time {shown(times[at])} is there twice (also {named(at - 1)}); if these are several "
            "series, name the column that tells them apart (series=)"
        )
    raise DataError(
        f"{named(at)}: the time goes back, from {shown(times[at - 1])} to {shown(times[at])}; sort the rows by time"
    )


def shown(time: Any) -> str:
    """A time as a user writes it."""
    if not isinstance(time, np.datetime64):
        return f"{time:g}" if isinstance(time, float) else str(time)
    whole, _, fraction = str(time.astype("datetime64[us]")).replace("T", " ").partition(".")
    if fraction.strip("0"):
        return f"{whole}.{fraction.rstrip('0')}"
    return whole.removesuffix(":00").removesuffix(" 00:00")


def _step(times: Times) -> Step:
    """The usual step: months, if times stand at the same place in theirs; else the median, refined by the mean."""
    clock = times.dtype.kind == "M"
    differences = np.diff(times).astype(np.float64)
    usual = float(np.sort(differences)[(len(differences) - 1) // 2])  # a distance that there is; of two, the smaller
    if clock and usual > 27 * 86_400e6 and _same_place_in_month(times):
        return Step(float(np.median(np.diff(_months(times)))), calendar=True)
    near = differences[np.abs(differences - usual) <= 2 * JITTER * usual]
    mean = float(near.mean())
    return Step(usual if abs(mean - usual) < 1e-9 * usual else mean, clock=clock)


def _distances(times: Times, step: Step) -> npt.NDArray[np.float64]:
    return np.diff(_months(times) if step.calendar else times).astype(np.float64)


def _months(times: Times) -> npt.NDArray[np.int64]:
    return times.astype("datetime64[M]").astype(np.int64)


def _same_place_in_month(times: Times) -> bool:
    """Whether all times are at the same day and time of their month, or all at its last day."""
    start = times.astype("datetime64[M]")
    place = times - start.astype(times.dtype)
    end = (start + 1).astype(times.dtype) - times
    return bool((place == place[0]).all() or (end == end[0]).all())


def _in_months(time: np.datetime64, months: npt.NDArray[np.int64]) -> Times:
    """The time some months later: the last day of a month stays the last day."""
    month = time.astype("datetime64[M]")
    later = month + months
    left = (month + 1).astype("datetime64[us]") - time
    if left <= np.timedelta64(1, "D") and time.astype("datetime64[D]") != month.astype("datetime64[D]"):
        return np.asarray((later + 1).astype("datetime64[us]") - left)
    return np.asarray(later.astype("datetime64[us]") + (time - month.astype("datetime64[us]")))


def _irregular(
    times: Times,
    step: Step,
    found: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]],
    named: Callable[[int], str],
) -> DataError:
    distances, wrong = found
    at = int(wrong[0]) + 1
    missing = round(distances[at - 1] / step.size) - 1
    between = f"{shown(times[at - 1])} and {shown(times[at])}"
    if missing >= 1:
        what = f"a gap: between {between} {missing:,} time{'s are' if missing > 1 else ' is'} missing"
    else:
        what = f"an uneven time: {between} are not one step apart"
    more = f"; there are {len(wrong):,} such places" if len(wrong) > 1 else ""
    return DataError(
        f"{named(at)}: {what} (the usual step is {step}){more}. Fill them, or say regular=False to count rows as steps"
    )


def _converted(cells: Sequence[Any], convert: Callable[[Any], Any], dtype: Any) -> Times:
    found = np.empty(len(cells), dtype)
    for index in range(len(cells)):
        try:
            found[index] = convert(cells[index])
        except (ValueError, TypeError, OverflowError) as error:
            raise _unreadable(cells, index) from error
    return found


def _unreadable(cells: Sequence[Any], index: int) -> DataError:
    cell = cells[index]
    what = "there is no time" if cell in (None, "") else f"{str(cell)[:40]!r} is no time"
    like = f"like {cells[0]!r}" if index else "as ISO 8601 writes it, 2016-07-01 13:00, or a number"
    return DataError(f"{where(cells, index)}: {what} {like}")


def _fits(cell: Any, convert: Callable[[Any], Any]) -> bool:
    try:
        convert(cell)
    except (ValueError, TypeError):
        return False
    return True


def _whole(cell: Any) -> int:
    if isinstance(cell, str) and _WHOLE.fullmatch(cell.strip()):
        return int(cell)
    if isinstance(cell, int | np.integer) and not isinstance(cell, bool):
        return int(cell)
    raise ValueError


def _float(cell: Any) -> float:
    value = float(cell)
    if isinstance(cell, np.datetime64) or not np.isfinite(value):
        raise ValueError
    return value


def _stamp(cell: Any) -> Any:
    if isinstance(cell, str):
        text = cell.strip()
        try:
            cell = datetime.fromisoformat(text)
        except ValueError:
            return np.datetime64(text, "us") if re.fullmatch(r"\d{4}-\d{2}", text) else _no_time()
    if isinstance(cell, datetime):
        return cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None)
    return cell if isinstance(cell, date | np.datetime64) else _no_time()


def _no_time() -> Any:
    raise ValueError("no time")
