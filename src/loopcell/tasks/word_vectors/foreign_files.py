"""The text and the binary format of word2vec: files that other programs read and write.

The first line has the number of words V and the length of a vector E; files of GloVe do without. Then, in text, a
line a word: the word and E numbers; in binary, the word, a space, E float32 numbers of the least byte first, and
perhaps a line's end.

Only blanks, tabs and newlines separate; other white space may be a part of a word. Files of millions of words have a
few that nobody can read, such as words cut inside a letter: these rows are left out and counted.

A file from elsewhere is hostile until read: nothing is allocated by what its first line says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
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
_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"\s*(\d{1,15})[ \t]+(\d{1,15})\s*")
_BETWEEN = re.compile(rb"[ \t]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_NUMBER = re.compile(rb"[0-9+\-.einfatyEINFATY]+")
FIRST_ROWS = 100  # that are looked at where no first line says how long a vector is

# What other files begin with, and what to do with them.
_OTHERS = {
    b"\xba\x16\x4f\x2f": "is a model of fastText, not vectors alone: give the .vec file that fastText writes beside it",
    b"PK\x03\x04": "is a zip archive: unpack it first",
}

Vector = npt.NDArray[np.float32]


class ForeignVectors(NamedTuple):
    """The content of a file.

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
    """Write a float32 with nine digits, which give it back as it was."""
    return " ".join(f"{number:.9g}" for number in vector.tolist()).encode()


class _UnreadableError(Exception):
    """A row that is no word with its vector, with the reason."""


class _Row(NamedTuple):
    """A row as it stands in the file: its word, and its numbers or why there are none."""

    word: bytes
    vector: Vector | str


class _Found:
    """The words and vectors that were read so far."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self._numbers: dict[str, int] = {}
        self._values, self._twice, self._rows = bytearray(), 0, 0
        self._bad, self._why = 0, ""  # how many rows cannot be read, and why not the first of them

    def add(self, row: _Row) -> None:
        """Take a row, or count it as unreadable."""
        self._rows += 1
        try:
            name, vector = _word(row.word), _vector(row, self._size)
        except _UnreadableError as error:
            self._bad += 1
            self._why = self._why or f"row {self._rows}{error}"
            return
        if name in self._numbers:
            self._twice += 1
            return
        self._numbers[name] = len(self._numbers)
        self._values += vector.tobytes()

    def vectors(self, notes: Iterable[str]) -> ForeignVectors:
        """Return all vectors; FileFormatError where half of the rows or more cannot be read."""
        bad, path = self._bad, self._path
        if 2 * bad >= self._rows:
            more = f"; so it is with {bad:,} of {self._rows:,} rows" if bad > 1 else ""
            raise FileFormatError(f"{path} {self._why}{more}" if bad else f"{path} has no words")
        said = [*notes]
        if bad:
            rows = (
                f"{bad:,} rows of {path} cannot be read and are"
                if bad > 1
                else f"1 row of {path} cannot be read and is"
            )
            said.append(f"{rows} left out: {self._why}")
        if self._twice:
            said.append(f"{self._twice:,} words of {path} are there twice; the first vector of each counts")
        values = np.frombuffer(self._values, dtype=np.float32).reshape(len(self._numbers), self._size)
        return ForeignVectors(list(self._numbers), values, said)


def read(path: str | PathLike[str]) -> ForeignVectors:
    """Read a file of either format, perhaps compressed; errors as `load_word2vec`."""
    path = Path(path)
    with open_bytes(path) as file:
        first = file.readline(LONGEST_LINE)
        other = next((what for start, what in _OTHERS.items() if first.startswith(start)), None)
        if other:
            raise FileFormatError(f"{path} {other}")
        first = first.removeprefix(_MARK)
        sizes, notes = _sizes(path, first), list[str]()
        if sizes is None:
            lines = [first, *islice(iter(lambda: file.readline(LONGEST_LINE), b""), FIRST_ROWS - 1)]
            size = _usual_size(path, lines)
            rows = _all_text_rows(chain(lines, iter(lambda: file.readline(LONGEST_LINE), b"")), size)
            notes = [
                f"{path} has no first line with its sizes, as files of GloVe: vectors of {size:,} numbers, as it seems"
            ]
        else:
            count, size = sizes
            rows = (_text_rows if _is_text(file, size) else _binary_rows)(path, file, count, size)
        found = _Found(path, size)
        for row in rows:
            found.add(row)
    return found.vectors(notes)


def _sizes(path: Path, line: bytes) -> tuple[int, int] | None:
    """Return the number of words and the length of a vector; None for a first line that is a row."""
    header = _HEADER.fullmatch(line)
    if header is None:
        parts = _BETWEEN.split(line.strip())
        if len(parts) > 2 and not _CONTROL.search(line) and all(map(_NUMBER.fullmatch, parts[-2:])):
            return None
        raise FileFormatError(
            f"{path} does not begin with the number of words and the length of a vector, as files of word2vec do, nor "
            "with a word and its numbers, as those of GloVe do"
        )
    count, size = int(header[1]), int(header[2])
    if not count or not 0 < size <= LONGEST_VECTOR:
        raise FileFormatError(f"{path} says that it has {count:,} words with {size:,} numbers each; it cannot be used")
    return count, size


def _usual_size(path: Path, lines: Sequence[bytes]) -> int:
    """Return the number of numbers that most of some rows have; words with blanks in them seem to have more."""
    counts = Counter(len(_BETWEEN.split(line.strip())) - 1 for line in lines if line.strip())
    size = min(counts, key=lambda size: (-counts[size], size))
    if not 1 < size <= LONGEST_VECTOR:
        raise FileFormatError(f"{path} has rows of {size:,} numbers; it cannot be used")
    return size


def _is_text(file: BinaryIO, size: int) -> bool:
    """Return whether the first word is followed by letters of numbers alone. The stream stays where it is."""
    ahead: bytes = file.peek(PEEK)[:PEEK]  # type: ignore[attr-defined] # it is buffered
    line, end, _ = ahead.lstrip(b"\r\n").partition(b"\n")
    parts = line.split()
    if not end and len(ahead) == PEEK:  # the last one may go on
        parts, size = parts[:-1], 3
    numbers = parts[1:][-size:]
    return bool(numbers) and not _CONTROL.search(line) and _NUMBER.fullmatch(numbers[-1]) is not None


def _text_rows(path: Path, file: BinaryIO, count: int, size: int) -> Iterator[_Row]:
    for row in range(1, count + 1):
        line = file.readline(LONGEST_LINE)
        if not line:
            raise _truncated(path, count, row)
        yield _text_row(line, size)
    if file.readline(LONGEST_LINE).strip():
        raise FileFormatError(f"{path} goes on after the {count:,} words that its first line tells of")


def _all_text_rows(lines: Iterable[bytes], size: int) -> Iterator[_Row]:
    return (_text_row(line, size) for line in lines if line.strip())


def _text_row(line: bytes, size: int) -> _Row:
    parts = _BETWEEN.split(line.rstrip(b" \t\r\n"))
    word, more = b" ".join(parts[:-size]) or parts[0], parts[1:-size]
    if len(parts) <= size or (more and all(map(_is_number, more))):
        return _Row(word, f" has {len(parts) - 1} numbers, and not {size}")
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
            return _Row(word, np.array([float(number) for number in parts[-size:]], dtype=np.float32))
    except ValueError as error:
        return _Row(word, f": {error}")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _binary_rows(path: Path, file: BinaryIO, count: int, size: int) -> Iterator[_Row]:
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
        yield _Row(bytes(word), np.frombuffer(block, dtype=_FLOAT).astype(np.float32))
    if file.read(2).strip():
        raise FileFormatError(f"{path} goes on after the {count:,} words that its first line tells of")


def _vector(row: _Row, size: int) -> Vector:
    if isinstance(row.vector, str):
        raise _UnreadableError(row.vector)
    if not np.isfinite(row.vector).all():
        raise _UnreadableError(f": the vector of {_word(row.word)!r} has numbers that are not finite")
    assert len(row.vector) == size
    return row.vector


def _word(word: bytes) -> str:
    try:
        found = word.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _UnreadableError(f": its word is not utf-8 ({word[:40]!r})") from error
    if not found:
        raise _UnreadableError(": '' is no word")
    return found


def _truncated(path: Path, count: int, row: int) -> FileFormatError:
    return FileFormatError(f"{path} is truncated: it tells of {count:,} words and ends in row {row}")
