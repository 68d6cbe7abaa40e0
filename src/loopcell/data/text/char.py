"""Characters as tokens: one Unicode code point of the text as given, one token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data.text import characters as chars
from loopcell.data.text.vocabulary import UNKNOWN_CHARACTER, Ids, Unknown, Vocabulary, unknown_characters

RESERVED = 1  # id 0: the unknown token


class CharVocabulary(Vocabulary):
    """One token for each distinct character; id 0 stands for unknown characters and decodes to U+FFFD."""

    kind: ClassVar[str] = "char"
    unknown_id: ClassVar[int | None] = 0

    def __init__(self, characters: Sequence[str]) -> None:
        """Take the known characters, distinct and sorted by code point; InputError otherwise."""
        self._table = chars.CharacterTable(characters)
        self._points = np.concatenate([chars.to_points(UNKNOWN_CHARACTER), self._table.points])

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Keep every character of the texts, or the most frequent `size - 1`; errors as in `Vocabulary`."""
        return cls(chars.most_frequent(chars.count(texts), size, RESERVED))

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""
        return cls(chars.stored_table(data).characters)

    def to_json(self) -> dict[str, object]:
        """Return the kind and the list of characters."""
        return {"kind": self.kind, "characters": list(self._table.characters)}

    def __len__(self) -> int:
        """Return the known characters and the unknown token."""
        return len(self._points)

    def decode_steps(self, ids: npt.ArrayLike) -> list[str]:
        """Return the character of each id."""
        return list(self.decode(ids))

    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        places = self._table.find(chars.to_points(text))
        if unknown == "error" and (places < 0).any():
            raise unknown_characters(text, np.flatnonzero(places < 0), start)
        return places + RESERVED  # -1, not found, becomes 0, the unknown token

    def _decode(self, ids: Ids) -> str:
        return chars.from_points(self._points[ids])
