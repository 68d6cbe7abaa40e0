"""The common part of the vocabularies of characters: code points as arrays, counting, finding, storing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from loopcell.data.text.vocabulary import Ids
from loopcell.errors import DataError, FileFormatError, InputError, UsageError


def to_points(text: str) -> npt.NDArray[np.uint32]:
    """Return the code points of a text; lone surrogates, which Python strings can hold, included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def from_points(points: npt.NDArray[np.uint32]) -> str:
    """Return the text of code points, the inverse of `to_points`."""
    return points.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")


def count(texts: Iterable[str]) -> Counter[str]:
    """Count the occurrences of each character.

    Raises:
        DataError: there is no text at all.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    if not counts:
        raise DataError("there is no text to build a vocabulary from")
    return counts


def most_frequent(counts: Counter[str], size: int | None, reserved: int) -> list[str]:
    """Return the most frequent characters, at most so many, in the order of their code points.

    Args:
        counts: how often each character occurs.
        size: the whole vocabulary's limit, or None for all characters.
        reserved: how many tokens the vocabulary has beside the characters.

    Raises:
        UsageError: nothing is left for characters.
    """
    if size is None:
        return sorted(counts)
    if size <= reserved:
        raise UsageError(f"this vocabulary needs more than {reserved} tokens, got a size of {size}")
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return sorted(ranked[: size - reserved])


class CharacterTable:
    """Characters in the order of their code points, and where each one stands."""

    def __init__(self, characters: Sequence[str]) -> None:
        """Take characters that are sorted and distinct; InputError otherwise."""
        if any(len(character) != 1 for character in characters):
            raise InputError("a vocabulary's characters are strings of length 1")
        if any(left >= right for left, right in pairwise(characters)):
            raise InputError("a vocabulary's characters are distinct and sorted by code point")
        self.characters = list(characters)
        self.points = np.array([ord(character) for character in characters], dtype=np.uint32)

    def find(self, points: npt.NDArray[np.uint32]) -> Ids:
        """Return the place of each code point, -1 for one that is not there."""
        if not len(self.points):
            return np.full(len(points), -1, dtype=np.int64)
        places = np.searchsorted(self.points, points).clip(max=len(self.points) - 1)
        return np.where(self.points[places] == points, places, -1).astype(np.int64)


def stored_table(data: Mapping[str, object]) -> CharacterTable:
    """Read the "characters" of a stored vocabulary.

    Raises:
        FileFormatError: they are missing or not a list of sorted, distinct characters.
    """
    characters = data.get("characters")
    if not isinstance(characters, list) or not all(isinstance(character, str) for character in characters):
        raise FileFormatError("the stored vocabulary has no list of characters")
    lone = next((character for character in characters if "\ud800" <= character[:1] <= "\udfff"), None)
    if lone is not None:  # no file of text has one, and no file could be written with it
        raise FileFormatError(f"the stored vocabulary is not valid: U+{ord(lone[0]):04X} is a lone surrogate, not text")
    try:
        return CharacterTable(characters)
    except InputError as error:
        raise FileFormatError(f"the stored vocabulary is not valid: {error}") from error
