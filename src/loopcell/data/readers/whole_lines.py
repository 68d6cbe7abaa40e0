"""Lines of files whose ends are CR alone, or that were joined and have byte order marks inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from loopcell.data.text.source import BYTE_ORDER_MARK

_LONE = re.compile(r"\r(?!\n?\Z)")  # a CR that ends no line of a text that newlines cut
_INSIDE = re.compile(r"\r(?![\r\n]|\Z)")
_CUT = re.compile(r"[^\r]*\r\n?|[^\r]+")


def whole_lines(found: Iterator[str]) -> Iterator[str]:
    """Yield the lines of a file without byte order marks at their beginnings, which files have that were joined.

    Args:
        found: the lines as they were cut at newlines, from the first one on. A file that has CR inside, and no newline
            but perhaps at its very end, is one whose lines end in CR alone, as on old Macs.
    """
    first = next(found, "")
    if _LONE.search(first):
        second = next(found, None)
        if second is None:
            yield from (part.removeprefix(BYTE_ORDER_MARK) for part in _CUT.findall(first))
            return
        found = chain([second], found)
    if first:
        yield first.removeprefix(BYTE_ORDER_MARK)
    for line in found:
        yield line.removeprefix(BYTE_ORDER_MARK)


def of_line_ends(text: str) -> str | None:
    """Return a note on the line ends of a file, by the text that it begins with; None where there is nothing to say."""
    if not _LONE.search(text):
        return None
    if "\n" not in text[:-1]:
        return "its lines end in CR alone, as on old Macs, as it seems"
    if _INSIDE.search(text):
        return "CR stands alone inside of lines: it is read as a part of them, and ends none"
    return None
