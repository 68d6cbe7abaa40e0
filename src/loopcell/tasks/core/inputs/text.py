"""Strings, cut into tokens by a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import Vocabulary
from loopcell.data.readers import where
from loopcell.data.text import vocabulary_class, vocabulary_from_json
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError
from loopcell.tasks.core.inputs.embedding import TokenEmbedding
from loopcell.tasks.core.inputs.input import FirstLayer, Input, count
from loopcell.tasks.core.settings import NetworkSettings


class TextInput(Input):
    """Strings. A character that training never saw is the unknown token.

    Args:
        vocabulary: what a token is.
    """

    kind: ClassVar[str] = "text"
    separator: ClassVar[str] = ""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Build the vocabulary of the training text."""
        return cls(vocabulary_class(settings.tokens).build(_texts(X), settings.vocabulary_size))

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every text's token ids [T]."""
        for text in _texts(X):
            yield self.vocabulary.encode(text, unknown="replace")

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Return an embedding."""
        return TokenEmbedding(len(self.vocabulary), settings, self.vocabulary.unknown_id)

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"kind": self.kind, "vocabulary": self.vocabulary.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; FileFormatError for a vocabulary that is none."""
        return cls(vocabulary_from_json(stored["vocabulary"]))

    def step_labels(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return the text of each token id."""
        return token_labels(self.vocabulary, sequence)

    def step_texts(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return the text that is whole with each token."""
        return self.vocabulary.decode_steps(sequence)

    def unknown_steps(self, sequence: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where a token is the unknown one, [T]."""
        return unknown_among(self.vocabulary, sequence)

    def unknown(self, X: Sequence[Any]) -> int:
        """Return how many tokens of X are the unknown one."""
        unknown = self.vocabulary.unknown_id
        return 0 if unknown is None else sum(count(ids, unknown) for ids in self.each(X))


def token_labels(vocabulary: Vocabulary, ids: npt.NDArray[Any]) -> list[str]:
    """Return the text of each token id [T]; the id itself where it is no text alone, as half of a character."""
    texts = {int(token): vocabulary.decode([token]) for token in set(ids.tolist())}
    return [texts[token] or f"#{token}" for token in ids.tolist()]


def unknown_among(vocabulary: Vocabulary, ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which ids [T] are the unknown token."""
    unknown = vocabulary.unknown_id
    return np.zeros(len(ids), np.bool_) if unknown is None else np.asarray(ids == unknown)


def unknown_notes(count: int) -> tuple[str, ...]:
    """Return what a reader has to know where so many tokens of a sequence are unknown: a sentence, or nothing."""
    if not count:
        return ()
    many = f"{count:,} tokens were" if count > 1 else "1 token was"
    return (f"{many} never seen in training and read as unknown",)


def _texts(X: Sequence[Any]) -> Iterator[str]:
    for index, text in enumerate(X):
        if not isinstance(text, str):
            raise DataError(f"{where(X, index)}: a text was expected, as in the first example, not {_described(text)}")
        if not text.isascii():
            demand_text(text, where(X, index))
        yield str(text)  # NumPy's strings as Python's


def _described(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
