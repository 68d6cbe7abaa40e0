"""Times as a user writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from loopcell.data.series.zones import offset_name, offsets

SUMMER_MONTHS = (3, 4, 9, 10, 11)  # in which clocks are set forward or back, on a Sunday and at night


def shown(time: Any, zone: str | None = None) -> str:
    """Return a time as a user writes it: without zeros at its end; with the offset where it has a zone."""
    if not isinstance(time, np.datetime64):
        return f"{time:.15g}" if isinstance(time, float) else str(time)
    ahead = int(offsets(np.asarray([time]), zone)[0]) if zone is not None else 0
    there = time + np.timedelta64(ahead, "s")
    unit = "ns" if np.datetime_data(there.dtype)[0] == "ns" else "us"
    whole, _, fraction = str(there.astype(f"datetime64[{unit}]")).replace("T", " ").partition(".")
    if fraction.strip("0"):
        whole = f"{whole}.{fraction.rstrip('0')}"
    elif zone is not None:
        whole = whole.removesuffix(":00")
    else:
        whole = whole.removesuffix(":00").removesuffix(" 00:00")
    return whole if zone is None else whole + offset_name(ahead)


def summer_hint(before: Any, time: Any, zone: str | None) -> str:
    """Return advice for what looks like the hour that clocks without a zone leave out or show twice."""
    if zone is not None or not isinstance(time, np.datetime64):
        return ""
    day = time.astype("datetime64[D]")
    month = int(time.astype("datetime64[M]").astype(np.int64)) % 12 + 1
    sunday = (int(day.astype(np.int64)) + 3) % 7 == 6
    night = (time - day) <= np.timedelta64(4, "h") and abs(time - before) <= np.timedelta64(2, "h")
    if not (sunday and night and month in SUMMER_MONTHS):
        return ""
    return "; if a clock was set forward or back there, name its zone (zone=)"
