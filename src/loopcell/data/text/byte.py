"""Bytes as tokens: 256 of them, for any file whatsoever."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from loopcell.data.text.source import Source, byte_blocks
from loopcell.data.text.vocabulary import Ids, Unknown, Vocabulary
from loopcell.errors import DataError, UsageError

SIZE = 256


class ByteVocabulary(Vocabulary):
    """The 256 bytes; text is its UTF-8 bytes, and no file is foreign to it.

    Bytes that are not UTF-8 decode to U+FFFD as text; `encode_bytes` and `decode_bytes` keep them.
    """

    kind: ClassVar[str] = "byte"

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Give the 256 bytes whatever the texts are, unread; UsageError for another size."""
        if size not in (None, SIZE):
            raise UsageError(f"the byte vocabulary always has {SIZE} tokens, got a size of {size}")
        return cls()

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Make the vocabulary: nothing is stored beside the kind."""
        return cls()

    def to_json(self) -> dict[str, object]:
        """Return the kind alone."""
        return {"kind": self.kind}

    def __len__(self) -> int:
        """Return 256."""
        return SIZE

    def encode_source(self, source: Source, unknown: Unknown = "error") -> Iterator[Ids]:
        """Give the bytes of a file as they are, a byte order mark and invalid UTF-8 included."""
        for block in byte_blocks(source):
            yield self.encode_bytes(block)

    def encode_bytes(self, data: bytes) -> Ids:
        """Give the bytes as ids, int64 `[n]`."""
        return np.frombuffer(data, dtype=np.uint8).astype(np.int64)

    def decode_bytes(self, ids: npt.ArrayLike) -> bytes:
        """Give ids `[n]` as bytes, the inverse of `encode_bytes`; errors as `decode`."""
        return self._checked(ids).astype(np.uint8).tobytes()

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids one by one; a character is given with its last byte. Joined: `decode(ids)`."""
        return stream_utf8(self.decode_bytes([token]) for token in ids)

    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        return self.encode_bytes(to_utf8(text, "surrogateescape"))

    def _decode(self, ids: Ids) -> str:
        return self.decode_bytes(ids).decode("utf-8", "replace")


def to_utf8(text: str, errors: Literal["strict", "surrogateescape"] = "strict") -> bytes:
    r"""Return the UTF-8 bytes of a text.

    With "surrogateescape", a byte that a shell passed undecoded (Python's "\udc80" to "\udcff") is that byte.

    Raises:
        DataError: the text has a lone surrogate, which no UTF-8 can hold.
    """
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        point = ord(text[error.start])
        raise DataError(f"character {error.start} is a lone surrogate (U+{point:04X}), which is not text") from error


def stream_utf8(pieces: Iterable[bytes]) -> Iterator[str]:
    """Decode bytes piece by piece, U+FFFD for what is not UTF-8; only what is certain is given."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
