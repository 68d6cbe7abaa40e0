"""Targets that are written token by token: texts, or lists of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.data.readers import where
from loopcell.errors import DataError
from loopcell.tasks.core.inputs import TextInput, TokenInput, input_from_json, learn_input
from loopcell.tasks.core.inputs.tokens import UNKNOWN
from loopcell.tasks.core.settings import NetworkSettings

Written = str | list[str]


class TargetText:
    """Texts with a vocabulary, or lists of tokens, with one more token for the end.

    Args:
        tokens: how texts or lists become numbers.

    Attributes:
        size: V, the tokens there are without the end; the end has the number V.
        unknown: the token for what is not known, which is never written; None where everything is known.
    """

    def __init__(self, tokens: TextInput | TokenInput) -> None:
        self.tokens = tokens
        if isinstance(tokens, TextInput):
            self.size = len(tokens.vocabulary)
            self.unknown = tokens.vocabulary.unknown_id
        else:
            self.size, self.unknown = len(tokens.tokens) + 1, UNKNOWN

    @classmethod
    def learn(cls, y: Sequence[Any], settings: NetworkSettings) -> TargetText:
        """Look at the targets of the training part.

        Raises:
            DataError: the first one is neither a text nor a list of tokens.
        """
        if isinstance(y[0], int | float | np.number):
            raise DataError(f"{where(y, 0)}: a text or a list of tokens was expected, to be learned to write")
        found = learn_input(y, settings)
        if not isinstance(found, TextInput | TokenInput):
            raise DataError(f"{where(y, 0)}: a text or a list of tokens was expected, to be learned to write")
        return cls(found)

    def numbers(self, y: Sequence[Any]) -> Ragged:
        """Return each target's token numbers with the end after them; DataError names one that is of another kind."""
        return Ragged.of(np.append(ids, self.size) for ids in self.tokens.each(y))

    def text(self, ids: Sequence[int]) -> Written:
        """Return the text, or the list of tokens, of numbers without the end."""
        if isinstance(self.tokens, TextInput):
            return self.tokens.vocabulary.decode(np.array(ids, dtype=np.int64))
        return [self.tokens.tokens[number - 1] if number else "?" for number in ids]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return each token as a string of its own, for a picture."""
        return spelled(self.tokens, np.array(ids, dtype=np.int64))

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return self.tokens.to_json()

    @classmethod
    def from_json(cls, stored: object) -> TargetText:
        """Read what `to_json` gave; any exception for anything else."""
        found = input_from_json(stored)
        if not isinstance(found, TextInput | TokenInput):
            raise ValueError("its targets are not texts")
        return cls(found)


def spelled(tokens: TextInput | TokenInput, ids: npt.NDArray[np.integer[Any]]) -> list[str]:
    """Return each token of a text or list as a string of its own."""
    if isinstance(tokens, TextInput):
        return [tokens.vocabulary.decode(ids[at : at + 1]) for at in range(len(ids))]
    return [tokens.tokens[number - 1] if number else "?" for number in ids.tolist()]
