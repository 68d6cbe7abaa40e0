"""N-grams of letters and the vectors that they share, as fastText has them.

Bojanowski, Grave, Joulin, Mikolov: Enriching Word Vectors with Subword Information, 2017, section 3.2. The jamo of
Korean words: Park et al.: Subword-level Word Vector Representations for Korean, 2018.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

START, END = "<", ">"
_OFFSET, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF


class Subwords(NamedTuple):
    """The n-grams that have vectors.

    Attributes:
        shortest: letters.
        longest: letters.
        buckets: how many vectors they share; 0 where there are no n-grams.
        jamo: letters are jamo, and not Hangul syllables.
    """

    shortest: int
    longest: int
    buckets: int
    jamo: bool

    def of(self, word: str) -> list[int]:
        """Return the buckets of a word's n-grams, with marks for its start and its end, by FNV-1a of their UTF-8.

        As fastText has it, a byte above 127 counts as a negative number, and the marks alone are no n-grams.
        """
        text = f"{START}{unicodedata.normalize('NFD', word) if self.jamo else word}{END}"
        letters = [letter.encode("utf-8", "surrogatepass") for letter in text]
        found = []
        for start in range(len(letters)):
            value = _OFFSET
            for end in range(start, min(start + self.longest, len(letters))):
                for byte in letters[end]:
                    value = (value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * _PRIME & _MASK
                length = end - start + 1
                alone = length == 1 and (start == 0 or end == len(letters) - 1)
                if length >= self.shortest and not alone:
                    found.append(value % self.buckets)
        return found


WHOLE_WORDS = Subwords(0, 0, 0, jamo=False)


class Parts(NamedTuple):
    """The rows that a word's vector is the mean of: its own, and those of its n-grams, which come after all words.

    Attributes:
        first: int64 [V + 1], where the rows of each word begin in `rows`.
        rows: int32.
    """

    first: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]

    @property
    def shared(self) -> bool:
        """True if words have rows beside their own."""
        return len(self.rows) >= len(self.first)

    @property
    def most(self) -> int:
        """The most rows that a word has."""
        return int(np.diff(self.first).max())


def parts_of(words: Sequence[str], subwords: Subwords) -> Parts:
    """Return the rows of each word."""
    count = len(words)
    if not subwords.buckets:
        return Parts(np.arange(count + 1, dtype=np.int64), np.arange(count, dtype=np.int32))
    rows = [[number, *(count + bucket for bucket in subwords.of(word))] for number, word in enumerate(words)]
    first = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int64)
    return Parts(first, np.concatenate([np.array(part, dtype=np.int32) for part in rows]))
