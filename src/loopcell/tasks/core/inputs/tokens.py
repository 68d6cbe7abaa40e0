"""Lists of tokens: texts that somebody has cut into words already, or symbols of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data.readers import where
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError
from loopcell.tasks.core.inputs.embedding import TokenEmbedding
from loopcell.tasks.core.inputs.input import FirstLayer, Input, count
from loopcell.tasks.core.settings import NetworkSettings

UNKNOWN = 0
MOST = 10_000_000


class TokenInput(Input):
    """Lists of strings; each string is one step. Id 0 is for those that training never saw.

    Args:
        tokens: the known tokens; the first one has id 1.
    """

    kind: ClassVar[str] = "tokens"

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self._ids = {token: number for number, token in enumerate(self.tokens, start=UNKNOWN + 1)}

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Keep every token, or the most frequent ones where the settings bound the vocabulary."""
        counts = Counter(token for example in _lists(X) for token in example)
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        return cls(ranked[: settings.vocabulary_size and max(0, settings.vocabulary_size - 1)])

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every list's ids [T]."""
        for example in _lists(X):
            yield np.array([self._ids.get(token, UNKNOWN) for token in example], dtype=np.int64)

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Return an embedding."""
        return TokenEmbedding(len(self.tokens) + 1, settings, UNKNOWN)

    def to_json(self) -> dict[str, Any]:
        """Return the tokens in the order of their ids."""
        return {"kind": self.kind, "tokens": self.tokens}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        tokens = stored["tokens"]
        if not isinstance(tokens, list) or len(tokens) > MOST or not all(isinstance(token, str) for token in tokens):
            raise ValueError("its tokens are not a list of strings")
        if len(set(tokens)) < len(tokens):
            raise ValueError("a token has two ids")
        return cls(tokens)

    def step_labels(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return the token of each id."""
        return ["?" if token == UNKNOWN else self.tokens[token - 1] for token in sequence.tolist()]

    def unknown_steps(self, sequence: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where a token was never seen in training, [T]."""
        return np.asarray(sequence == UNKNOWN)

    def unknown(self, X: Sequence[Any]) -> int:
        """Return how many tokens of X were never seen in training."""
        return sum(count(ids, UNKNOWN) for ids in self.each(X))


def _lists(X: Sequence[Any]) -> Iterator[list[str]]:
    for index, example in enumerate(X):
        if isinstance(example, str) or not isinstance(example, Sequence | np.ndarray):
            one = (
                "; X is a list of lists: of a single one, x, give [x]" if isinstance(example, str) and not index else ""
            )
            raise DataError(f"{where(X, index)}: a list of tokens was expected, not a {type(example).__name__}{one}")
        for step, token in enumerate(example):
            if not isinstance(token, str):
                raise DataError(f"{where(X, index)}: token {step} is a {type(token).__name__}, not a string")
            if not token.isascii():
                demand_text(token, f"{where(X, index)}: token {step}")
        yield list(example)
