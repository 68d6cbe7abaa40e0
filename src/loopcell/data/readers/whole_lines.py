"""Lines of files whose ends are CR alone, or that were joined and have byte order marks inside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from loopcell.data.text.source import BYTE_ORDER_MARK


def whole_lines(found: Iterator[str]) -> Iterator[str]:
    """The lines of a file without byte order marks at their beginnings, which files have that were joined.

    Args:
        found: the lines as they were cut at newlines, from the first one on. A file without a newline whose text has
            CR in it is one whose lines end in CR alone, as on old Macs.
    """
    first = next(found, "")
    if "\r" in first and not first.endswith("\n"):
        yield from (part.removeprefix(BYTE_ORDER_MARK) for part in re.findall(r"[^\r]*\r|[^\r]+", first))
    elif first:
        yield first.removeprefix(BYTE_ORDER_MARK)
    for line in found:
        yield line.removeprefix(BYTE_ORDER_MARK)
