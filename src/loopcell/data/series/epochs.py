"""Times as numbers since 1970: seconds, milliseconds, microseconds or nanoseconds of UTC."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.data.series.basic_dates import NO_NUMBERS
from loopcell.data.series.showing import shown
from loopcell.errors import DataError, quoted

Times = npt.NDArray[Any]

# By all their names: the unit as numpy writes it.
UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SINCE, _UNTIL = 500_000_000, 4_000_000_000  # seconds: 1985 to 2096, in which numbers look like times


def unit_named(time_format: str) -> str | None:
    """Return the unit that a format names, as numpy writes it; None where it names none."""
    name = time_format.strip().lower()
    return UNITS.get(name, name if name in _A_SECOND else None)


def read_epochs(cells: Sequence[Any], unit: str) -> Times:
    """Read numbers since 1970 as datetime64[us] `[T]`, of nanoseconds as datetime64[ns].

    Raises:
        DataError: a cell is no number, or so large that it cannot be kept; the message names file and row.
    """
    fine = unit == "ns"
    size = 1 if fine else 10**6 // _A_SECOND[unit]
    counts = [_count(cells, index, size) for index in range(len(cells))]
    return np.array(counts, np.int64).astype("datetime64[ns]" if fine else "datetime64[us]")


def _count(cells: Sequence[Any], index: int, size: int) -> int:
    cell = cells[index]
    try:
        if isinstance(cell, NO_NUMBERS) or cell is None:
            raise ValueError
        plain = cell.strip() if isinstance(cell, str) else str(cell)
        found = round((Decimal(plain) * size).to_integral_value())
        if not -(2**63) < found < 2**63:
            raise ValueError
    except (ValueError, InvalidOperation, OverflowError) as error:
        what = "there is no time" if cell in (None, "") else f"{quoted(str(cell), 40)} is no number since 1970"
        raise DataError(f"{where(cells, index)}: {what}") from error
    return found


def looks_like_epochs(times: Times) -> tuple[str, ...]:
    """Say which format reads numbers as time stamps, where they look like such: rising, and of our days."""
    if times.dtype.kind not in "if" or not len(times):
        return ()
    for name, unit in UNITS.items():
        first, last = (float(time) / _A_SECOND[unit] for time in (times[0], times[-1]))
        if min(first, last) >= _SINCE and max(first, last) <= _UNTIL:
            then = shown(np.datetime64(round(first), "s"))
            what = f"{times[0]:.15g}" if times.dtype.kind == "f" else str(times[0])
            note = f"the times are read as numbers; time_format={unit!r} reads them as {name} since 1970"
            return (f"{note} ({what} is {then} in UTC)",)
    return ()
