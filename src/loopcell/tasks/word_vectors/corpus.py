"""Number the words of a text: which are counted, and which are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.errors import DataError


class Corpus(NamedTuple):
    """A text as numbers.

    Attributes:
        words: those that have a vector, the most frequent first: the number of a word is its place here.
        counts: int64 [V], how often each is there.
        sentences: int32, the numbers of each sentence's words; words without a vector are left out.
        left_out: words of the text that are left out.
    """

    words: list[str]
    counts: npt.NDArray[np.int64]
    sentences: Ragged
    left_out: int


def read_corpus(sentences: Iterable[Sequence[str]], min_count: int, most: int | None) -> Corpus:
    """Read a text in one pass, and number its words.

    Args:
        sentences: the words of each.
        min_count: words that are there less often are left out.
        most: keep the most frequent ones only; None for all.

    Raises:
        DataError: no word is left, or only one.
    """
    numbers: dict[str, int] = {}
    seen: Counter[int] = Counter()

    def as_met() -> Iterator[npt.NDArray[np.int32]]:
        for words in sentences:
            ids = [numbers.setdefault(word, len(numbers)) for word in words]
            seen.update(ids)
            yield np.array(ids, dtype=np.int32)

    met = Ragged.of(as_met())
    texts = list(numbers)
    ranked = sorted((i for i in seen if seen[i] >= min_count), key=lambda i: (-seen[i], texts[i]))[:most]
    if len(ranked) < 2:
        raise DataError(_too_few(len(texts), len(ranked), min_count))
    new = np.full(len(texts), -1, dtype=np.int32)
    new[ranked] = np.arange(len(ranked), dtype=np.int32)
    kept = Ragged.of(numbered[numbered >= 0] for numbered in (new[ids] for ids in met))
    counts = np.array([seen[i] for i in ranked], dtype=np.int64)
    return Corpus([texts[i] for i in ranked], counts, kept, len(met.values) - len(kept.values))


def _too_few(there: int, kept: int, min_count: int) -> str:
    return (
        f"of the text's {there:,} different words {kept} are there at least {min_count} times, and vectors need two: "
        "give more text, or a lower min_count"
    )
