"""UTF-16 that does not say so: without a mark its zeros pass for characters of other encodings."""

from __future__ import annotations

import codecs
import unicodedata

LOOKED_AT = 1024  # bytes of the beginning
LEAST = 8  # bytes that say something of an encoding


def likely_utf16(first: bytes, encoding: str) -> str | None:
    """Find out whether bytes are rather UTF-16 than what is said.

    In UTF-16 the first halves of the characters of an alphabet are one and the same byte, and zeros for blanks and
    newlines; no text of another encoding is like that. Of Hangul and Chinese they are many, and then the text is not
    what is said; blanks and newlines still make zeros.

    Args:
        first: the beginning of a file, without a byte order mark.
        encoding: what is said.

    Returns:
        "utf-16-le", "utf-16-be", or None where nothing speaks for either.
    """
    first = first[:LOOKED_AT]
    if 0 not in first or len(first) < LEAST or codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return None
    said = _decoded(first, encoding) is not None
    for likely, high in (("utf-16-le", first[1::2]), ("utf-16-be", first[::2])):
        if _is_plain(_decoded(first, likely)) and not (said and (0 not in high or len(set(high)) > 2)):
            return likely
    return None


def _decoded(first: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(first)
    except UnicodeError:
        return None


def _is_plain(text: str | None) -> bool:
    """Return whether all characters are assigned ones and no controls but those of lines."""
    return text is not None and all(
        one in "\t\r\n" or unicodedata.category(one) not in ("Cc", "Cn", "Co", "Cs") for one in text
    )
