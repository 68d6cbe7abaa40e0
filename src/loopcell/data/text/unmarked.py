"""UTF-16 that does not say so: without a mark its zeros pass for characters of other encodings."""

from __future__ import annotations

import codecs
import unicodedata

LOOKED_AT = 1024  # bytes of the beginning
LEAST = 8  # bytes that say something of an encoding
MANY_ZEROS = 0.25  # of the bytes


def likely_utf16(first: bytes, encoding: str) -> str | None:
    """Find out whether bytes are rather UTF-16 than what is said.

    Half of the bytes of Latin letters, blanks and newlines are zeros in UTF-16. No text of another encoding has as
    many; one with any may be UTF-16 where it is not what is said.

    Args:
        first: the beginning of a file, without a byte order mark.
        encoding: what is said.

    Returns:
        "utf-16-le", "utf-16-be", or None where nothing speaks for either.
    """
    first = first[:LOOKED_AT]
    zeros = first.count(0)
    if not zeros or len(first) < LEAST or codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return None
    if zeros < MANY_ZEROS * len(first) and _decoded(first, encoding) is not None:
        return None
    return next((one for one in ("utf-16-le", "utf-16-be") if _is_plain(_decoded(first, one))), None)


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
