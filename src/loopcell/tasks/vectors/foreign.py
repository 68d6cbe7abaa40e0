"""The text and the binary format of word2vec: files that other programs read and write.

The first line has the number of words V and the length of a vector E. Then, in text, a line a word: the word and E
numbers; in binary, the word, a space, E float32 numbers of the least byte first, and perhaps a line's end.

A file from elsewhere is hostile until read: nothing is allocated by what its first line says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.opening import create_bytes, open_bytes, plain_name
from loopcell.errors import FileFormatError, InputError
from loopcell.files import atomic_write

LONGEST_WORD = 1 << 12  # bytes
LONGEST_VECTOR = 1 << 16  # numbers
PEEK = 256  # bytes
LONGEST_LINE = LONGEST_WORD + 64 * LONGEST_VECTOR
_FLOAT = np.dtype("<f4")


class ForeignVectors(NamedTuple):
    """What a file holds.

    Attributes:
        words: V, no two alike.
        vectors: float32 [V, E].
        notes: sentences that the user should know.
    """

    words: list[str]
    vectors: npt.NDArray[np.float32]
    notes: list[str]


def write(
    path: str | PathLike[str], words: Sequence[str], vectors: npt.NDArray[np.float32], *, binary: bool | None
) -> None:
    """Write a file, whole or not at all; `binary` None: where its name ends with .bin. Errors as `save_word2vec`."""
    wrong = next((word for word in words if not word or any(letter.isspace() for letter in word)), None)
    if wrong is not None:
        raise InputError(f"the format of word2vec cannot hold the word {wrong[:80]!r}: white space ends a word there")
    as_bytes = plain_name(Path(path)).suffix == ".bin" if binary is None else binary
    with atomic_write(path) as temporary, create_bytes(temporary, like=Path(path)) as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, vector in zip(words, vectors, strict=True):
            file.write(word.encode() + b" " + (vector.astype(_FLOAT).tobytes() if as_bytes else _text(vector)) + b"\n")


def _text(vector: npt.NDArray[np.float32]) -> bytes:
    """Nine digits give a float32 back as it was."""
    return " ".join(f"{number:.9g}" for number in vector.tolist()).encode()


def read(path: str | PathLike[str]) -> ForeignVectors:
    """Read a file of either format, perhaps compressed; errors as `load_word2vec`."""
    path = Path(path)
    with open_bytes(path) as file:
        count, size = _sizes(path, file.readline(LONGEST_WORD))
        rows = _text_rows if _is_text(file) else _binary_rows
        numbers: dict[str, int] = {}
        values, twice = bytearray(), 0
        for row, (word, vector) in enumerate(rows(path, file, count, size), start=1):
            name = _decoded(path, row, word)
            if not np.isfinite(vector).all():
                raise FileFormatError(f"{path} row {row}: the vector of {name!r} has numbers that are not finite")
            if name in numbers:
                twice += 1
                continue
            numbers[name] = len(numbers)
            values += vector.tobytes()
    vectors = np.frombuffer(values, dtype=np.float32).reshape(len(numbers), size)
    notes = [f"{twice:,} words of {path} are there twice; the first vector of each counts"] if twice else []
    return ForeignVectors(list(numbers), vectors, notes)


def _sizes(path: Path, line: bytes) -> tuple[int, int]:
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() and len(part) < 16 for part in parts):
        raise FileFormatError(
            f"{path} does not begin with the number of words and the length of a vector, as files of word2vec do "
            f"(those of GloVe do not: add that line)"
        )
    count, size = int(parts[0]), int(parts[1])
    if not count or not 0 < size <= LONGEST_VECTOR:
        raise FileFormatError(f"{path} says that it has {count:,} words with {size:,} numbers each; it cannot be used")
    return count, size


def _is_text(file: BinaryIO) -> bool:
    """Whether the first word is followed by letters of numbers alone. The stream stays where it is."""
    ahead: bytes = file.peek(PEEK)[:PEEK]  # type: ignore[attr-defined] # it is buffered
    numbers = ahead.lstrip(b"\n").partition(b" ")[2].partition(b"\n")[0]
    return bool(numbers) and not numbers.strip(b"0123456789+-.einfatyEINFATY \r\t")


def _text_rows(path: Path, file: BinaryIO, count: int, size: int) -> Iterator[tuple[bytes, npt.NDArray[np.float32]]]:
    for row in range(1, count + 1):
        line = file.readline(LONGEST_LINE)
        word, *numbers = line.split(b" ") if line.strip() else [b""]
        numbers = [number for number in numbers if number.strip()]
        if not line:
            raise _truncated(path, count, row)
        try:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
                vector = np.array([float(number) for number in numbers], dtype=np.float32)
        except ValueError as error:
            raise FileFormatError(f"{path} row {row}: {error}") from error
        if len(vector) != size:
            raise FileFormatError(f"{path} row {row} has {len(vector)} numbers, and not {size} as its first line says")
        yield word, vector
    if file.readline(LONGEST_LINE).strip():
        raise FileFormatError(f"{path} goes on after the {count:,} words that its first line tells of")


def _binary_rows(path: Path, file: BinaryIO, count: int, size: int) -> Iterator[tuple[bytes, npt.NDArray[np.float32]]]:
    for row in range(1, count + 1):
        word = bytearray()
        while (byte := file.read(1)) != b" ":
            if not byte:
                raise _truncated(path, count, row)
            if len(word) >= LONGEST_WORD:
                raise FileFormatError(f"{path} row {row}: a word of more than {LONGEST_WORD:,} bytes is none")
            if byte != b"\n" or word:  # the line's end of the row before
                word += byte
        block = file.read(size * _FLOAT.itemsize)
        if len(block) < size * _FLOAT.itemsize:
            raise _truncated(path, count, row)
        yield bytes(word), np.frombuffer(block, dtype=_FLOAT).astype(np.float32)
    if file.read(2).strip():
        raise FileFormatError(f"{path} goes on after the {count:,} words that its first line tells of")


def _decoded(path: Path, row: int, word: bytes) -> str:
    try:
        found = word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} row {row}: its word is not utf-8 ({word[:40]!r})") from error
    if not found or any(letter.isspace() for letter in found):
        raise FileFormatError(f"{path} row {row}: {found[:40]!r} is no word")
    return found


def _truncated(path: Path, count: int, row: int) -> FileFormatError:
    return FileFormatError(f"{path} is truncated: it tells of {count:,} words and ends in row {row}")
