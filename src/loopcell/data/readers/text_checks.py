"""What text files have beside their lines: marks inside, ends that are CR alone, UTF-16 that does not say so."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from loopcell.data.text.source import BYTE_ORDER_MARK
from loopcell.errors import DataError

LOOKED_AT = 1024  # bytes of the beginning


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


def refuse_unmarked_utf16(first: bytes, name: str, encoding: str) -> None:
    """Refuse bytes that are UTF-16 without a mark where another encoding is said; DataError names the right one.

    In UTF-16 the text of most languages has zeros among its high bytes, for letters or for blanks, and none among its
    low ones. No text of other encodings has many zeros, and none that cannot be decoded has zeros at one parity alone.
    """
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return
    first = first[:LOOKED_AT]
    halves = {"utf-16-le": (first[1::2], first[::2]), "utf-16-be": (first[::2], first[1::2])}
    for likely, (high, low) in halves.items():
        zeros = high.count(0)
        if (
            len(first) >= 8
            and zeros
            and not low.count(0)
            and (zeros >= 0.4 * len(high) or not _decodes(first, encoding))
        ):
            raise DataError(f"{name} is not {encoding} text: it looks like UTF-16, say encoding={likely!r}")


def _decodes(first: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(first)
    except UnicodeError:
        return False
    return True
