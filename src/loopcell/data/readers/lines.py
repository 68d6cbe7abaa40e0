"""Lines of text files with their numbers, strictly decoded, in memory that does not depend on the file's size."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from loopcell.data.limits import LONGEST_LINE
from loopcell.data.readers.opening import open_bytes
from loopcell.data.readers.reading import one_line
from loopcell.data.readers.whole_lines import whole_lines
from loopcell.data.text.source import BYTE_ORDER_MARK
from loopcell.data.text.unmarked import LOOKED_AT, likely_utf16
from loopcell.errors import DataError, UsageError

BLOCK_BYTES = 1 << 18

# The encodings that a file's first bytes name, the longer mark first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a file in order, each with its newline, the last one perhaps without.

    Where a file has no newline and ends its lines with CR alone, these are its lines. A byte order mark at the
    beginning of any line is taken off, for files that were joined.

    Raises:
        DataError: the file cannot be read or is empty, or as `lines_of`.
        UsageError: there is no such encoding.
    """
    with open_bytes(path) as stream:
        first_bytes = cast(io.BufferedReader, stream).peek(LOOKED_AT)
        marked = first_bytes.startswith(tuple(_MARKS))
        likely = None if marked else likely_utf16(first_bytes, check_encoding(encoding))
        if likely:
            raise DataError(f"{path} is not {encoding} text: it looks like UTF-16, say encoding={likely!r}")
        found = whole_lines(lines_of(stream, str(path), encoding))
        first = next(found, None)
        if first is None:
            raise DataError(f"{path} is empty")
        yield first
        yield from found


def lines_of(stream: BinaryIO, name: str, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a stream as soon as they are there, each with its newline, the last one perhaps without.

    A byte order mark is taken off, and decides the encoding where it is one of UTF-16 or UTF-32.

    Args:
        stream: what is read.
        name: what it is called in errors.
        encoding: of its text.

    Raises:
        DataError: it is not in this encoding, or a line has no end; the message names the line. All lines before
            that one have been given by then.
        UsageError: there is no such encoding.
    """
    longest = LONGEST_LINE.most()
    number, size, rest = 0, 0, list[str]()  # what has no end yet is joined once, when it has one
    for text in _decoded(stream, name, encoding):
        whole = _split(text)
        if len(whole) > 1:
            whole[0] = "".join((*rest, whole[0]))
            size, rest = 0, []
        rest.append(whole.pop())
        size += len(rest[-1])
        yield from whole
        number += len(whole)
        if size > longest:
            reason = f"is longer than {longest:,} characters: this is no text; {LONGEST_LINE.cure()}"
            raise DataError(f"{name} line {number + 1} {reason}")
    if size:
        yield "".join(rest)


def check_encoding(name: str) -> str:
    """Return the name of an encoding of text, as given.

    Raises:
        UsageError: there is no such encoding.
    """
    try:
        "".encode(name)
    except (LookupError, UnicodeError, ValueError) as error:
        raise UsageError(f"there is no text encoding {name!r}; utf-8, cp949 (Korean) and latin-1 are usual") from error
    return name


def _decoded(stream: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Yield the stream's text block by block."""
    check_encoding(encoding)
    read = cast(io.BufferedReader, stream).read1  # does not wait for more than is there
    block = read(BLOCK_BYTES)
    marked = next((found for mark, found in _MARKS.items() if block.startswith(mark)), None)
    decoder = codecs.getincrementaldecoder(marked or encoding)()
    number, at_start = 1, True
    while True:
        text, error = _decode(decoder, block)
        if at_start and text:
            text, at_start = text.removeprefix(BYTE_ORDER_MARK), False
        yield text
        number += text.count("\n")
        if isinstance(error, UnicodeDecodeError):
            raise _undecodable(error, f"{name} is not {error.encoding} text", number) from error
        if error:
            raise DataError(f"{name} is not {marked or encoding} text: {_said(error)}") from error
        if not block:
            return
        block = read(BLOCK_BYTES)


def _split(text: str) -> list[str]:
    """Split a text into lines with their ends, and last what has no end yet ("" if all have)."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + parts[-1:]


def _decode(decoder: codecs.IncrementalDecoder, block: bytes) -> tuple[str, UnicodeError | None]:
    """Decode one block (empty: the end), or what stands before the first byte that is wrong, and the error.

    Some decoders do not say which byte it is; then nothing of the block is given.
    """
    state = decoder.getstate()
    try:
        return decoder.decode(block, final=not block), None
    except UnicodeDecodeError as error:
        good = len(block) - len(error.object) + error.start  # what is blamed may begin in the block before
        return _decode_again(decoder, state, block[: max(good, 0)]), error
    except UnicodeError as error:
        return "", error


def _decode_again(decoder: codecs.IncrementalDecoder, state: tuple[bytes, int], block: bytes) -> str:
    decoder.setstate(state)
    try:
        return decoder.decode(block)
    except UnicodeError:
        return ""


def _said(error: UnicodeError) -> str:
    """Return a decoder's complaint, with the cure that is known."""
    if "does not start with BOM" in str(error):
        return "it has no byte order mark; name the order of its bytes (encoding='utf-16-le' or 'utf-16-be')"
    return one_line(error)


def _undecodable(error: UnicodeDecodeError, what: str, line: int) -> DataError:
    byte = error.object[error.start]
    return DataError(f"{what}: byte 0x{byte:02x} in line {line}{_hint(error.object[error.start :])}")


def _hint(wrong: bytes) -> str:
    """Return a guess at what the bytes are instead of text in the given encoding."""
    try:
        codecs.getincrementaldecoder("cp949")().decode(wrong[:64])
    except UnicodeDecodeError:
        return "; name its encoding (encoding='latin-1', ...)"
    return "; if it is Korean text from Windows, say encoding='cp949'"
