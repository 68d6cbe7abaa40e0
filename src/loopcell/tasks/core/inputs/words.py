"""Words that have ready vectors: texts, or lists of words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from loopcell.errors import InputError
from loopcell.tasks.core.inputs.embedding import TokenEmbedding
from loopcell.tasks.core.inputs.input import FirstLayer, Input, count
from loopcell.tasks.core.inputs.ready_vectors import ReadyVectors
from loopcell.tasks.core.inputs.tokens import UNKNOWN, TokenInput
from loopcell.tasks.core.inputs.word_tokenizer import WordTokenizer
from loopcell.tasks.core.settings import NetworkSettings

LONGEST_VECTOR = 1 << 20


class WordInput(Input):
    """Texts or lists of words, of which some have vectors already. Id 0 is for words that have none.

    The vectors of words that training never saw are there too, so a later text may have them.

    Args:
        words: those with vectors; the first one has id 1.
        lower: texts are taken in lower case.
        size: E, the length of a vector.
    """

    kind: ClassVar[str] = "words"

    def __init__(self, words: Sequence[str], size: int, *, lower: bool) -> None:
        self.words, self.size, self.tokenizer = list(words), size, WordTokenizer(lower)
        self._ids = {word: number for number, word in enumerate(self.words, start=UNKNOWN + 1)}
        self._ready: ReadyVectors | None = None

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Take the words of the settings' vectors."""
        ready = settings.embedding
        if not isinstance(ready, ReadyVectors):
            raise InputError(f"embedding= takes what WordVectors.as_embedding() gives, not a {type(ready).__name__}")
        made = cls(ready.words, ready.vectors.shape[1], lower=ready.lower)
        made._ready = ready
        return made

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example's ids [T]."""
        for words in self.tokenizer.each(X):
            yield np.array([self._ids.get(word, UNKNOWN) for word in words], dtype=np.int64)

    def number(self, word: str) -> int | None:
        """Return a word's place among those with vectors, from 0 on; None for a word that has none."""
        found = self._ids.get(self.tokenizer.words([word])[0])
        return None if found is None else found - 1

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Return an embedding as long as the ready vectors."""
        return TokenEmbedding(len(self.words) + 1, replace(settings, embedding_size=self.size), UNKNOWN)

    def prepare(self, layer: FirstLayer) -> None:
        """Put the vectors into the embedding."""
        assert isinstance(layer, TokenEmbedding)
        assert self._ready is not None
        with torch.no_grad():
            layer.embedding.weight[UNKNOWN + 1 :] = torch.from_numpy(self._ready.vectors)
        layer.embedding.weight.requires_grad_(not self._ready.frozen)

    def to_json(self) -> dict[str, Any]:
        """Return the words in the order of their ids, and how texts are cut."""
        return {"kind": self.kind, "words": self.words, "size": self.size, "lower": self.tokenizer.lower}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        words = TokenInput.from_json({"tokens": stored["words"]}).tokens
        size, lower = stored["size"], stored["lower"]
        if type(size) is not int or not 0 < size <= LONGEST_VECTOR or type(lower) is not bool:
            raise ValueError("its words have no vectors of a length")
        return cls(words, size, lower=lower)

    def unknown_steps(self, sequence: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where a token was never seen in training, [T]."""
        return np.asarray(sequence == UNKNOWN)

    def unknown(self, X: Sequence[Any]) -> int:
        """Return how many words of X have no vector."""
        return sum(count(ids, UNKNOWN) for ids in self.each(X))
