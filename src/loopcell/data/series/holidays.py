"""Days that are named: in a list, or in a file with one in each line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loopcell.errors import DataError, UsageError, quoted

MOST_DAYS = 100_000


def read_days(given: Sequence[str]) -> tuple[str, ...]:
    """Return days such as 2024-12-25, sorted.

    Args:
        given: days; or one path of a text file with a day at the beginning of each line, as in the first column of a
            CSV file, whose first line may be a header.

    Raises:
        DataError: the file cannot be read, a line has no day, or there are too many.
        UsageError: what is given is neither a day nor a file.
    """
    if len(given) == 1 and _day(given[0]) is None:
        return _of_file(Path(given[0]))
    found = [_day(one) for one in given]
    if None in found:
        wrong = given[found.index(None)]
        raise UsageError(f"holidays: {quoted(wrong, 40)} is no day; write it like 2024-12-25, or name a file of such")
    return tuple(sorted({day for day in found if day is not None}))


def _of_file(path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = [line.strip() for _, line in zip(range(MOST_DAYS + 1), file)]  # noqa: B905 - a bound
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"holidays: {path} is neither a day like 2024-12-25 nor a text file of such") from error
    if len(lines) > MOST_DAYS:
        raise DataError(f"holidays: {path} has more than {MOST_DAYS:,} lines")
    found = set[str]()
    for number, line in enumerate(lines, 1):
        day = _day(re.split("[,;\t]", line)[0].strip(" \"'"))
        if day is None and line and number > 1:
            raise DataError(f"holidays: {path} line {number}: {quoted(line, 40)} begins with no day like 2024-12-25")
        found |= set() if day is None else {day}
    if not found:
        raise DataError(f"holidays: there is no day in {path}")
    return tuple(sorted(found))


def _day(text: str) -> str | None:
    """Return a day as ISO 8601 has it; None for anything else."""
    match = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]00:00.*)?$", text)
    try:
        return str(np.datetime64("-".join(match.groups()), "D")) if match else None
    except ValueError:
        return None
