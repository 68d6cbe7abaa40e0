"""Lone surrogates: halves of characters, which JSON's escapes and Python's strings can hold, and no text."""

from __future__ import annotations

from loopcell.errors import DataError


def demand_text(text: str, name: str) -> None:
    """Refuse a string that no file could be written with.

    Args:
        text: any string.
        name: what it is called in the error.

    Raises:
        DataError: it has a lone surrogate; the sentence says which, and where.
    """
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name} has a lone surrogate (U+{ord(text[error.start]):04X}, character {error.start + 1}): half of a "
            "character, which is not text; put another character there, such as U+FFFD"
        ) from error
