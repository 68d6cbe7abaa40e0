"""Token files: a text as token ids on disk, memory-mapped, so that it may be larger than memory.

Layout, little-endian: a header of 64 bytes; the ids, 1, 2 or 4 bytes each by the size of the vocabulary;
zeros up to a multiple of 8; the position where each document starts, 8 bytes each. Nothing in the file is
executed or trusted: opening checks the header, the sizes and the starts, and `verify` reads the ids too.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.data.text.source import Source, file_size
from loopcell.data.text.vocabulary import Unknown, Vocabulary
from loopcell.errors import DataError, FileFormatError, InputError
from loopcell.files import atomic_write

MAGIC = b"LOOPTOK\n"
VERSION = 1
HEADER_BYTES = 64
WIDTHS = (1, 2, 4)
VERIFY_STEP = 1 << 22

_FIELDS = struct.Struct("<8sHHxxxxQQQIII")  # _FileHeader's fields
_CHECK = struct.Struct("<I")  # the CRC-32 of the fields, after them

Tokens: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
Document: TypeAlias = npt.NDArray[Any] | Iterable[npt.NDArray[Any]]


class _FileHeader(NamedTuple):
    magic: bytes
    version: int
    width: int  # bytes of one id
    vocab_size: int
    tokens: int
    documents: int
    tokens_check: int  # CRC-32 of the ids
    starts_check: int  # CRC-32 of the documents' starts
    reserved: int

    def starts_offset(self) -> int:
        return -(-(HEADER_BYTES + self.width * self.tokens) // 8) * 8

    def file_bytes(self) -> int:
        return self.starts_offset() + 8 * self.documents

    def pack(self) -> bytes:
        fields = _FIELDS.pack(*self)
        return (fields + _CHECK.pack(zlib.crc32(fields))).ljust(HEADER_BYTES, b"\0")


@dataclass(frozen=True, eq=False)
class TokenFile:
    """An open token file.

    Attributes:
        path: where it is.
        tokens: the ids `[N]`, uint8, uint16 or uint32, mapped read-only: only what is looked at is read.
        document_starts: int64 `[D]`, where each document starts, not falling; an empty document shares its
            start with the next one.
        vocab_size: ids lie below it.
        checksum: CRC-32 of the ids, to tell whether a resumed run still has the same data.
    """

    path: Path
    tokens: Tokens
    document_starts: npt.NDArray[np.int64]
    vocab_size: int
    checksum: int

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> TokenFile:
        """Map a token file, in time that does not depend on the number of tokens.

        Raises:
            DataError: there is no such file, or it may not be read.
            FileFormatError: it is not a token file, is truncated or damaged, or is of a newer format.
        """
        path = Path(path)
        size = file_size(path)
        try:
            with path.open("rb") as file:
                header = _read_header(file, path, size)
                starts = _read_starts(file, path, header)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        return cls(path, _map(path, header), starts, header.vocab_size, header.tokens_check)

    def __len__(self) -> int:
        """Return the number of tokens, N."""
        return len(self.tokens)

    def verify(self) -> None:
        """Read every id once and check it: for a file that came from elsewhere.

        Raises:
            FileFormatError: the ids are not those that were written, or one is outside of the vocabulary.
        """
        check = 0
        for begin in range(0, len(self.tokens), VERIFY_STEP):
            block = np.ascontiguousarray(self.tokens[begin : begin + VERIFY_STEP])
            check = zlib.crc32(block.data, check)
            if int(block.max()) >= self.vocab_size:
                raise FileFormatError(f"{self.path} has token ids outside of its vocabulary of {self.vocab_size}")
        if check != self.checksum:
            raise FileFormatError(f"{self.path} is damaged: its tokens are not those that were written")


def write_tokens(path: str | os.PathLike[str], documents: Iterable[Document], vocab_size: int) -> TokenFile:
    """Write a token file, all or nothing, and open it.

    Args:
        path: the file to write or to replace; its folder has to exist.
        documents: each one an array of ids `[n]`, or an iterable of such arrays for a document that does not
            fit in memory.
        vocab_size: ids lie below it; it decides how many bytes an id takes.

    Raises:
        InputError: an id is outside of the vocabulary, or not a whole number; `vocab_size` is not in 1 ..
        2**32. FileWriteError: the disk is full, the folder may not be written, ...
    """
    width = _width(vocab_size)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        starts, count, check = array("q"), 0, 0
        for document in documents:
            starts.append(count)
            for block in _blocks(document, vocab_size, width):
                file.write(block.data)
                count, check = count + len(block), zlib.crc32(block.data, check)
        stored = np.asarray(starts, dtype="<i8")
        header = _FileHeader(MAGIC, VERSION, width, vocab_size, count, len(stored), check, zlib.crc32(stored.data), 0)
        file.write(bytes(header.starts_offset() - HEADER_BYTES - width * count))
        file.write(stored.data)
        file.seek(0)
        file.write(header.pack())
    return TokenFile.open(path)


def tokenize(
    path: str | os.PathLike[str],
    sources: Iterable[Source],
    vocabulary: Vocabulary,
    unknown: Unknown = "error",
) -> TokenFile:
    """Write the token file of some texts, each source one document, never holding more than a block of them.

    Raises:
        DataError: a source cannot be read as text, is empty, or has characters that the vocabulary has not.
        FileWriteError: the disk is full, the folder may not be written, ...
    """
    documents = (vocabulary.encode_source(source, unknown) for source in sources)
    return write_tokens(path, documents, len(vocabulary))


def _width(vocab_size: int) -> int:
    """Return the number of bytes that the largest id needs."""
    for width in WIDTHS:
        if 1 <= vocab_size <= 1 << (8 * width):
            return width
    raise InputError(f"a vocabulary has 1 to 2**32 tokens, got {vocab_size}")


def _blocks(document: Document, vocab_size: int, width: int) -> Iterator[npt.NDArray[Any]]:
    """Yield the document's ids as they are stored, checked."""
    for block in [document] if isinstance(document, np.ndarray) else document:
        if block.size == 0:
            continue
        if block.ndim != 1 or block.dtype.kind not in "iu":
            raise InputError(f"a document is whole numbers in one dimension, got {block.dtype} of {block.shape}")
        low, high = int(block.min()), int(block.max())
        if low < 0 or high >= vocab_size:
            raise InputError(f"token id {low if low < 0 else high} is outside of the vocabulary of {vocab_size}")
        yield np.ascontiguousarray(block, dtype=f"<u{width}")


def _read_header(file: BinaryIO, path: Path, size: int) -> _FileHeader:
    raw = file.read(HEADER_BYTES)
    if raw[: len(MAGIC)] != MAGIC:
        raise FileFormatError(f"{path} is not a loopcell token file")
    if len(raw) < HEADER_BYTES:
        raise FileFormatError(f"{path} is truncated: it ends within its header")
    header = _FileHeader(*_FIELDS.unpack_from(raw))
    if header.version > VERSION:
        raise FileFormatError(
            f"{path} has token file format {header.version}, this loopcell reads up to {VERSION}: upgrade it"
        )
    if raw != header.pack() or not _plausible(header):
        raise FileFormatError(f"{path} is damaged: its header contradicts itself")
    if size != header.file_bytes():
        state = "truncated" if size < header.file_bytes() else "damaged"
        raise FileFormatError(f"{path} is {state}: it should have {header.file_bytes()} bytes and has {size}")
    return header


def _plausible(header: _FileHeader) -> bool:
    in_range = header.version == VERSION and 1 <= header.vocab_size <= 1 << 32
    return in_range and header.width == _width(header.vocab_size)


def _read_starts(file: BinaryIO, path: Path, header: _FileHeader) -> npt.NDArray[np.int64]:
    file.seek(header.starts_offset())
    raw = file.read(8 * header.documents)
    starts = np.frombuffer(raw, dtype="<i8").astype(np.int64)
    if zlib.crc32(raw) != header.starts_check or len(starts) != header.documents:
        raise FileFormatError(f"{path} is damaged: its document starts are not those that were written")
    if not valid_starts(starts, header.tokens) or (header.tokens and not header.documents):
        raise FileFormatError(f"{path} is damaged: its document starts contradict its {header.tokens} tokens")
    return starts


def valid_starts(starts: npt.NDArray[np.int64], tokens: int) -> bool:
    """Return whether documents may start there: the first at 0, never falling, none after the end."""
    if not len(starts):
        return True
    return int(starts[0]) == 0 and bool((np.diff(starts) >= 0).all()) and int(starts[-1]) <= tokens


def _map(path: Path, header: _FileHeader) -> Tokens:
    dtype = np.dtype(f"<u{header.width}")
    if header.tokens == 0:  # nothing can be mapped
        return np.empty(0, dtype=dtype)
    try:
        return np.memmap(path, dtype=dtype, mode="r", offset=HEADER_BYTES, shape=(header.tokens,))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be mapped into memory: {error}") from error
