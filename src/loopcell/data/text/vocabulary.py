"""The interface of every vocabulary: text to token ids and back.

The kinds are `char`, `byte`, `jamo`, `bpe` and `word`, a file each; `kinds.py` has the table of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.data.text.source import Source, text_blocks
from loopcell.errors import DataError, InputError

Ids: TypeAlias = npt.NDArray[np.int64]
Unknown: TypeAlias = Literal["error", "replace"]

UNKNOWN_CHARACTER = "\ufffd"


class Vocabulary(ABC):
    """A fixed list of tokens. Two vocabularies are equal when they give every text the same ids.

    The promise of every kind: `decode(encode(text)) == text` for each text that `encode` takes without
    replacing anything, whatever its Unicode normalisation (NFC, NFD or a mixture).
    """

    kind: ClassVar[str]
    unknown_id: ClassVar[int | None] = None
    """The id of the token for what the vocabulary lacks; None where it has tokens for every text."""

    @classmethod
    @abstractmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Make the vocabulary of some texts (or of the blocks of a long one), read once, in order.

        Args:
            texts: the training text.
            size: the largest number of tokens wanted; None for what the kind does by itself.

        Raises:
            DataError: there is no text.
            UsageError: `size` is too small for this kind.
        """

    @classmethod
    def build_from_sources(cls, sources: Iterable[Source], size: int | None = None) -> Self:
        """Make the vocabulary of files, holding one block at a time; errors also as `text_blocks`."""
        return cls.build((block for source in sources for block in text_blocks(source)), size)

    @classmethod
    @abstractmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""

    @abstractmethod
    def to_json(self) -> dict[str, object]:
        """Return everything the vocabulary is, as plain JSON values; `vocabulary_from_json` reads it."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of tokens: ids are `0 .. len - 1`."""

    @abstractmethod
    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        """Encode a block that begins at character `start` of its document."""

    @abstractmethod
    def _decode(self, ids: Ids) -> str:
        """Decode ids that are known to lie in the vocabulary."""

    def encode(self, text: str, unknown: Unknown = "error") -> Ids:
        """Give a text's token ids, int64 `[n]`.

        Args:
            text: any string.
            unknown: what a character outside of the vocabulary does: "error" refuses the text, "replace"
                gives it the id of the unknown token. `byte` and `bpe` know every character.

        Raises:
            DataError: unknown characters; the message names the first few and where the first one is.
            InputError: `text` is not a string.
        """
        if not isinstance(text, str):
            raise InputError(f"encode takes text, got {type(text).__name__}; ByteVocabulary has encode_bytes")
        return self._encode(text, 0, unknown)

    def encode_source(self, source: Source, unknown: Unknown = "error") -> Iterator[Ids]:
        """Give the ids of a file block by block.

        Decoded together they are the file's text; `bpe` may cut a word in two where a block ends.

        Raises:
            DataError: as `encode` and `text_blocks`.
        """
        start = 0
        for block in text_blocks(source):
            try:
                yield self._encode(block, start, unknown)
            except DataError as error:
                raise DataError(f"{source.path}: {error}") from error
            start += len(block)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Give the text of token ids `[n]`. Ids that no text encodes to are decoded as well as they can be.

        Raises:
            InputError: the ids are not whole numbers in one dimension, or one is outside of the vocabulary.
        """
        return self._decode(self._checked(ids))

    def changing(self, ids: Ids) -> Ids:
        """Return the tokens that, coming after `ids`, would change the text of `ids` and not only add to it.

        `ids` are whole, as `encode` gives them. Only `jamo` has such tokens.
        """
        return np.empty(0, dtype=np.int64)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids one by one, giving each piece of text as soon as it is certain.

        The pieces joined are `decode(ids)`: half a syllable or half a character waits for the rest of it.
        """
        for token in ids:
            yield self._decode(self._checked([token]))

    def decode_steps(self, ids: npt.ArrayLike) -> list[str]:
        """Return for each of `ids` [n] the text that is whole with it: "" for a token before a character is.

        Joined they are `decode(ids)`. A syllable stands at its last jamo, a character at its last byte.
        """
        array = self._checked(ids)
        found, at = [""] * len(array), 0

        def each() -> Iterator[int]:
            nonlocal at
            for at, token in enumerate(array.tolist()):  # noqa: B007 - `at` is read where the pieces arrive
                yield token

        for piece in self.decode_stream(each()):
            found[at] += piece
        return found

    def _checked(self, ids: npt.ArrayLike) -> Ids:
        array = np.asarray(ids)
        if array.size == 0:
            return np.empty(0, np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"token ids are whole numbers in one dimension, got {array.dtype} of {list(array.shape)}")
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= len(self):
            wrong = low if low < 0 else high
            raise InputError(f"token id {wrong} is outside of the vocabulary of {len(self)} tokens")
        return array.astype(np.int64, copy=False)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same kind with the same tokens in the same order."""
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Name the kind and the size."""
        return f"<{self.kind} vocabulary of {len(self)} tokens>"


def unknown_characters(text: str, positions: Ids, start: int) -> DataError:
    """Refuse a text for its characters at `positions`; `start` counts what came before the text."""
    distinct = list(dict.fromkeys(text[position] for position in positions.tolist()))
    names = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in distinct[:3])
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    return DataError(
        f"the vocabulary has no {names}{more}, first at character {start + int(positions[0])}; train on text "
        "that has it, replace it by the unknown token (unknown='replace'), or use a vocabulary that knows "
        "every character (--tokens byte or bpe)"
    )
