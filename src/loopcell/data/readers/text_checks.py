"""What text files have beside their lines: marks inside, ends that are CR alone, UTF-16 that does not say so."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

from loopcell.data.text.source import BYTE_ORDER_MARK
from loopcell.errors import DataError

LOOKED_AT = 1024  # bytes of the beginning
LEAST = 8  # bytes that say something of an encoding
MANY_ZEROS = 0.25  # of the bytes


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

    Half of the bytes of Latin letters, blanks and newlines are zeros in UTF-16. No text of another encoding has as
    many; one with any may be UTF-16 where it is not what is said.
    """
    first = first[:LOOKED_AT]
    zeros = first.count(0)
    if not zeros or len(first) < LEAST or codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return
    if zeros < MANY_ZEROS * len(first) and _decoded(first, encoding) is not None:
        return
    likely = next((one for one in ("utf-16-le", "utf-16-be") if _is_plain(_decoded(first, one))), None)
    if likely:
        raise DataError(f"{name} is not {encoding} text: it looks like UTF-16, say encoding={likely!r}")


def _decoded(first: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(first)
    except UnicodeError:
        return None


def _is_plain(text: str | None) -> bool:
    """Whether all characters are assigned ones and no controls but those of lines."""
    return text is not None and all(
        one in "\t\r\n" or unicodedata.category(one) not in ("Cc", "Cn", "Co", "Cs") for one in text
    )
