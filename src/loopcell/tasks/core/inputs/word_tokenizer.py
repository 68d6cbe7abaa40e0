"""Split texts into words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.readers import where
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class WordTokenizer(NamedTuple):
    """Split an example into words: a text at its blanks and punctuation, a list of words as it is.

    Attributes:
        lower: take texts in lower case.
    """

    lower: bool

    def words(self, example: Any, name: str = "the text") -> list[str]:
        """Return the words of an example; a sign of punctuation is a word of its own.

        Raises:
            DataError: it is neither a text nor a list of strings, or has a lone surrogate.
        """
        if isinstance(example, str):
            demand_text(example, name)
            return WORD.findall(example.lower() if self.lower else example)
        if example is None or not isinstance(example, Sequence | np.ndarray):
            found = "nothing" if example is None else f"a {type(example).__name__}"
            raise DataError(f"{name}: a text or a list of words was expected, not {found}")
        wrong = next((at for at, word in enumerate(example) if not isinstance(word, str)), None)
        if wrong is not None:
            raise DataError(f"{name}: word {wrong} is a {type(example[wrong]).__name__}, not a string")
        for at, word in enumerate(example):
            if not word.isascii():
                demand_text(word, f"{name}: word {at}")
        return [str(word).lower() if self.lower else str(word) for word in example]

    def each(self, X: Sequence[Any]) -> Iterator[list[str]]:
        """Return the words of every example; errors name the example."""
        for index, example in enumerate(X):
            yield self.words(example, where(X, index))
