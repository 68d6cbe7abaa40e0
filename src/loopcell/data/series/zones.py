"""Zones: from instants to the wall clock of a zone and back, whole arrays at once, with summer time.

The rules come from Python's `zoneinfo`; what is here finds the changes of a zone once and then counts with numpy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError

Times = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

UTC_NAME = "UTC"
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")
_YEARS = (1900, 2200)  # in which changes of zones are looked for
_BLOCK = 10  # years that are looked at together
_STRIDE = timedelta(days=5)  # no zone changes and changes back within it

# Zones whose rules many others share: where data fit several, the first of these is named.
KNOWN = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "Australia/Sydney", "America/Halifax", "America/Anchorage", "America/Sao_Paulo",
    "Australia/Adelaide", "Pacific/Auckland", "Asia/Jerusalem", "America/Santiago", "Africa/Cairo", "Asia/Beirut",
)  # fmt: skip


class Changes(NamedTuple):
    """The n changes of a zone's offset: seconds since 1970, and the n + 1 offsets between, in seconds."""

    at: Ints
    offsets: Ints


def is_zone(zone: str) -> bool:
    """Return whether there is such a zone, in this machine's table of zones."""
    if zone == UTC_NAME or _OFFSET.fullmatch(zone) is not None:
        return True
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_zone(zone: str) -> str:
    """Give the name of a zone back.

    Raises:
        UsageError: there is no such zone, or the machine has no table of zones.
    """
    if not is_zone(zone):
        raise UsageError(
            f"there is no zone {zone!r}: name one like 'Europe/Berlin', 'UTC' or '+01:00' (where no zone at all is "
            "known, pip install tzdata brings them)"
        )
    return zone


def offset_name(seconds: int) -> str:
    """Return an offset as ISO 8601 writes it: `+01:00`."""
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" + (f":{rest:02d}" if rest else "")


def has_changes(zone: str | None) -> bool:
    """Return whether the clocks of a zone are ever set forward or back."""
    return zone is not None and zone != UTC_NAME and _OFFSET.fullmatch(zone) is None


def offsets(times: Times, zone: str | None) -> Ints:
    """Return the seconds by which the wall clock of a zone is ahead of UTC at some instants [T]."""
    if zone is None or not len(times):
        return np.zeros(len(times), np.int64)
    seconds = times.astype("datetime64[s]").astype(np.int64)
    changes = _changes_between(zone, seconds)
    return changes.offsets[np.searchsorted(changes.at, seconds, side="right")]


def wall(times: Times, zone: str | None) -> Times:
    """Return the wall-clock times of a zone at some instants [T]; without a zone the times themselves."""
    return times if zone is None else np.asarray(times + offsets(times, zone).astype("timedelta64[s]"))


def instants(shown: Times, zone: str | None) -> Times:
    """Return the instants at which clocks show some times [T], the first of two such instants.

    A time that clocks leave out, because they are set forward, is taken on the clock that was not: it shows later.
    """
    if zone is None or not len(shown):
        return shown
    seconds = shown.astype("datetime64[s]").astype(np.int64)
    changes = _changes_between(zone, seconds)
    ends = changes.at + np.maximum(changes.offsets[:-1], changes.offsets[1:])
    return np.asarray(shown - changes.offsets[np.searchsorted(ends, seconds, side="right")].astype("timedelta64[s]"))


def second_instants(shown: Times, zone: str | None) -> Times:
    """Return the later of two instants at which clocks show a time [T], and the only one otherwise."""
    if zone is None or not len(shown):
        return shown
    seconds = shown.astype("datetime64[s]").astype(np.int64)
    changes = _changes_between(zone, seconds)
    ends = changes.at + np.minimum(changes.offsets[:-1], changes.offsets[1:])
    return np.asarray(shown - changes.offsets[np.searchsorted(ends, seconds, side="right")].astype("timedelta64[s]"))


def zones_that(fit: Any, first: Sequence[str] = KNOWN) -> list[str]:
    """Return all zones with summer time for which `fit(zone)` holds, those that many know first."""
    try:
        names = sorted(available_timezones())
    except OSError:  # pragma: no cover - a machine without any table of zones
        return []
    ordered = [*(name for name in first if name in names), *(name for name in names if name not in first)]
    return [name for name in ordered if "/" in name and not name.startswith("Etc/") and fit(name)]


def offset_at(seconds: int, zone: str) -> int:
    """Return the offset at a second since 1970, without looking for the zone's changes."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return _seconds(moment.astimezone(ZoneInfo(zone)).utcoffset())


def is_left_out(seconds: int, offset: int, zone: str) -> bool:
    """Return whether clocks of a zone skip the time that an offset gives for an instant: they were set forward over it.

    Python writes such a time with the offset from before that (`2022-03-27T00:00+02:00` in Beirut), and clocks show it
    later, with the offset from after it. So it has to be that clocks were set forward just before the instant.
    """
    ahead = offset_at(seconds, zone) - offset
    return ahead > 0 and offset_at(seconds - ahead, zone) == offset


def _changes_between(zone: str, seconds: Ints) -> Changes:
    """Return the changes around some times; before 1900 and after 2200 nothing changes."""
    if not has_changes(zone):
        return Changes(np.empty(0, np.int64), np.array([_fixed(zone)]))
    years = np.array([seconds.min(), seconds.max()], "datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
    first, last = (int(np.clip(year, _YEARS[0], _YEARS[1] - 1)) // _BLOCK for year in (years[0] - 1, years[1] + 1))
    blocks = [_changes(zone, block * _BLOCK) for block in range(first, last + 1)]
    at = np.concatenate([block.at for block in blocks])
    return Changes(at, np.concatenate([blocks[0].offsets[:1], *(block.offsets[1:] for block in blocks)]))


@lru_cache(maxsize=1024)
def _changes(zone: str, year: int) -> Changes:
    """Return the changes of a zone in some years."""
    info, found = ZoneInfo(zone), []
    here, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + _BLOCK, 1, 1, tzinfo=UTC)
    offset = first = _seconds(here.astimezone(info).utcoffset())
    while here < end:
        there = min(here + _STRIDE, end)
        after = _seconds(there.astimezone(info).utcoffset())
        if after != offset:
            found.append((_first_with(info, offset, here, there), after))
        here, offset = there, after
    return Changes(np.array([at for at, _ in found], np.int64), np.array([first, *(after for _, after in found)]))


def _first_with(info: ZoneInfo, offset: int, low: datetime, high: datetime) -> int:
    """Return the second at which an offset is no longer."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if _seconds(middle.astimezone(info).utcoffset()) == offset else (low, middle)
    return round(high.timestamp())


def _fixed(zone: str) -> int:
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return 0
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if found[1] == "-" else 1)


def _seconds(offset: timedelta | None) -> int:
    return round((offset or timedelta()).total_seconds())
