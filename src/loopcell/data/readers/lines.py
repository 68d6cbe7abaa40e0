"""Lines of text files with their numbers, strictly decoded, in memory that does not depend on the file's size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from loopcell.data.readers.opening import open_bytes
from loopcell.data.text.source import BYTE_ORDER_MARK
from loopcell.errors import DataError, UsageError

BLOCK_BYTES = 1 << 18
LONGEST_LINE = 1 << 26  # characters; what is longer is no line of text, and would have to stand in memory whole

# The encodings that a file's first bytes name, the longer mark first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file in order, each with its newline, the last one perhaps without.

    A byte order mark is taken off, and decides the encoding where it is one of UTF-16 or UTF-32.

    Raises:
        DataError: the file cannot be read or is empty, is not in this encoding, or a line has no end; the message
            names the line.
        UsageError: there is no such encoding.
    """
    number, rest = 0, ""
    for text in _decoded(path, encoding):
        whole = _split(rest + text)
        rest = whole.pop()
        yield from whole
        number += len(whole)
        if len(rest) > LONGEST_LINE:
            raise DataError(f"{path} line {number + 1} is longer than {LONGEST_LINE:,} characters: this is no text")
    if rest:
        yield rest
    elif not number:
        raise DataError(f"{path} is empty")


def check_encoding(name: str) -> str:
    """The name of an encoding of text, as given.

    Raises:
        UsageError: there is no such encoding.
    """
    try:
        "".encode(name)
    except (LookupError, UnicodeError, ValueError) as error:
        raise UsageError(f"there is no text encoding {name!r}; utf-8, cp949 (Korean) and latin-1 are usual") from error
    return name


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    """The file's text block by block."""
    check_encoding(encoding)
    with open_bytes(path) as stream:
        block = stream.read(BLOCK_BYTES)
        marked = next((name for mark, name in _MARKS.items() if block.startswith(mark)), None)
        decoder = codecs.getincrementaldecoder(marked or encoding)()
        before, at_start = 0, True
        while True:
            text = _decode(decoder, block, path, before)
            if at_start and text:
                text, at_start = text.removeprefix(BYTE_ORDER_MARK), False
            yield text
            if not block:
                return
            before += text.count("\n")
            block = stream.read(BLOCK_BYTES)


def _split(text: str) -> list[str]:
    """Lines with their ends, and last what has no end yet ("" if all have)."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + parts[-1:]


def _decode(decoder: codecs.IncrementalDecoder, block: bytes, path: Path, before: int) -> str:
    """Decode one block (empty: the end) after `before` whole lines."""
    try:
        return decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        line = before + error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise DataError(
            f"{path} is not {error.encoding} text: byte 0x{byte:02x} in line {line}{_hint(error.object[error.start :])}"
        ) from error


def _hint(wrong: bytes) -> str:
    """What the bytes may be instead."""
    try:
        codecs.getincrementaldecoder("cp949")().decode(wrong[:64])
    except UnicodeDecodeError:
        return "; name its encoding (encoding='latin-1', ...)"
    return "; if it is Korean text from Windows, say encoding='cp949'"
