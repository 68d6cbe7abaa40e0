"""WordLookup: vectors by word, and the words whose vectors are near."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.tasks.core.inputs.words import WordInput
from loopcell.tasks.word_vectors.subwords import Subwords
from loopcell.tasks.word_vectors.tables import VectorTables

Vector = npt.NDArray[np.float32]
Near = list[tuple[str, float]]


class WordLookup:
    """The part of `WordVectors` that is asked about words, once it is fitted."""

    network_: VectorTables
    input_: WordInput

    @abstractmethod
    def _fitted(self) -> VectorTables:
        """Return the vectors.

        Raises:
            NotFittedError: there are none yet.
        """

    @abstractmethod
    def _known_subwords(self) -> Subwords:
        """Return the n-grams that make a vector of an unknown word."""

    @property
    def words_(self) -> list[str]:
        """The words that have vectors, the most frequent first."""
        self._fitted()
        return self.input_.words

    @property
    def vectors_(self) -> Vector:
        """The vectors of `words_`, float32 [V, E]."""
        self._fitted()
        vectors: Vector = self.network_.vectors().numpy()
        return vectors

    def words_of(self, text: str) -> list[str]:
        """Cut a text into words as learning does."""
        self._fitted()
        return self.input_.tokenizer.words(text)

    def __contains__(self, word: object) -> bool:
        self._fitted()
        return isinstance(word, str) and self.input_.number(word) is not None

    def vector(self, word: str) -> Vector:
        """Return the vector of a word, [E]; of an unknown one that of its n-grams, where there are n-grams.

        Raises:
            InputError: the word is unknown, and has no n-grams.
        """
        return self._vector(word).numpy().copy()

    def similarity(self, one: str, other: str) -> float:
        """Return the cosine between the vectors of two words; errors as `vector`."""
        return float(torch.cosine_similarity(self._vector(one), self._vector(other), dim=0))

    def most_similar(
        self, positive: str | Sequence[str] = (), negative: str | Sequence[str] = (), *, count: int = 10
    ) -> Near:
        """Find the words nearest to the sum of some words' directions, less those of others, with their cosines.

        Args:
            positive: a word, or several, whose vectors are added at length one.
            negative: those whose vectors are taken away.
            count: how many to give; the words that were asked with are not among them.

        Raises:
            InputError: no word is given, or one is unknown and has no n-grams.
        """
        added, taken = ([words] if isinstance(words, str) else list(words) for words in (positive, negative))
        if not added and not taken:
            raise InputError("most_similar needs a word")
        target = sum(
            (sign * torch.nn.functional.normalize(self._vector(word), dim=0))
            for sign, words in ((1, added), (-1, taken))
            for word in words
        )
        assert isinstance(target, Tensor)
        near = self.network_.near(target)
        known = [number for word in added + taken if (number := self.input_.number(word)) is not None]
        near[known] = -2.0
        best = near.topk(min(max(count, 0), len(self.words_) - len(set(known))))
        return [(self.words_[i], cosine) for i, cosine in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def analogy(self, one: str, other: str, third: str, *, count: int = 10) -> Near:
        """Find what is to `third` as `other` is to `one`: man, king, woman asks for a queen. Errors: `most_similar`."""
        return self.most_similar([other, third], [one], count=count)

    def _vector(self, word: str) -> Tensor:
        self._fitted()
        if not isinstance(word, str):
            raise InputError(f"a word is a string, not a {type(word).__name__}")
        number = self.input_.number(word)
        if number is not None:
            return self.network_.vectors()[number]
        subwords = self._known_subwords()
        spelled = self.input_.tokenizer.words([word])[0]
        rows = [len(self.words_) + bucket for bucket in subwords.of(spelled)] if subwords.buckets else []
        if not rows:
            alike = ", ".join(difflib.get_close_matches(spelled, self.words_, n=3))
            hint = f"; there is {alike}" if alike else ""
            raise InputError(f"{word[:80]!r} is none of the {len(self.words_):,} words that have vectors{hint}")
        return self.network_.mean(rows)
