"""Text from files: strict UTF-8, whole or block by block, with the offset of the byte that is wrong.

A `Source` is a segment of one file and is one document. Segments are counted in bytes, so a text is cut at
the same place whatever the tokens are, and a file larger than memory is never read before its segment.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loopcell.data.text.unmarked import likely_utf16
from loopcell.errors import DataError, InputError

BLOCK_BYTES = 1 << 20
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Source:
    """The bytes `start:stop` of one file (all of it by default): one document.

    `start` and `stop` should lie between two characters; `split_sources` cuts there.
    """

    path: Path
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        """Refuse a segment that runs backwards."""
        if self.start < 0 or (self.stop is not None and self.stop < self.start):
            raise InputError(f"a segment of a file goes forwards from 0, got {self.start}:{self.stop}")

    def size(self) -> int:
        """Return the segment's length in bytes; DataError when the file cannot be read."""
        end = file_size(self.path)
        return max(0, (end if self.stop is None else min(self.stop, end)) - self.start)


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the whole text of a UTF-8 file, line ends as they are, a byte order mark skipped.

    Raises:
        DataError: the file is missing, unreadable, empty or not UTF-8.
    """
    return "".join(text_blocks(Source(Path(path))))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return all bytes of a file as they are.

    Raises:
        DataError: the file is missing, unreadable or empty.
    """
    return b"".join(byte_blocks(Source(Path(path))))


def byte_blocks(source: Source, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a source in blocks of at most `block_bytes`.

    Raises:
        DataError: the file is missing, unreadable, or nothing is in the segment.
    """
    left = source.size()
    if left == 0:
        raise DataError(f"{source.path} is empty" + (f" from byte {source.start} on" if source.start else ""))
    try:
        with source.path.open("rb") as file:
            file.seek(source.start)
            while left and (block := file.read(min(block_bytes, left))):
                left -= len(block)
                yield block
    except OSError as error:
        raise unreadable(source.path, error) from error


def text_blocks(source: Source, block_bytes: int = BLOCK_BYTES) -> Iterator[str]:
    """Yield the text of a source in blocks; a character is never cut in two.

    Raises:
        DataError: as `byte_blocks`, or the bytes are not UTF-8; the message has the byte and its offset in
        the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, at_start, empty = source.start, source.start == 0, True
    for block in byte_blocks(source, block_bytes):
        if at_start:
            _demand_no_utf16(block, source.path)
        # The decoder holds back the beginning of a character that a block has cut: an offset counts from there.
        text = _decode(decoder, block, source.path, position - len(decoder.getstate()[0]))
        position += len(block)
        if at_start and text:
            text, at_start = text.removeprefix(BYTE_ORDER_MARK), False
        if text:
            empty = False
            yield text
    # The end of the source: half a character that is still held back is an error only now.
    _decode(decoder, None, source.path, position - len(decoder.getstate()[0]))
    if empty:
        raise DataError(f"{source.path} has a byte order mark and no text")


def _demand_no_utf16(first: bytes, path: Path) -> None:
    likely = likely_utf16(first, "utf-8")
    if likely:
        raise DataError(
            f"{path} is not UTF-8 text: it looks like UTF-16; write it anew as UTF-8 (iconv -f {likely} -t utf-8)"
        )


def file_size(path: Path) -> int:
    """Return the size of a regular file in bytes.

    Raises:
        DataError: there is no such file, or it is a folder, a pipe or a device (a text is read more than
        once).
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path} is a folder; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is not a regular file; write its content to a file first, because it is read twice")
    return status.st_size


def _decode(decoder: codecs.IncrementalDecoder, block: bytes | None, path: Path, offset: int) -> str:
    """Decode one block (None: the end); `offset` is where the decoder's input starts in the file."""
    try:
        return decoder.decode(block or b"", final=block is None)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{path} is not UTF-8 text: byte 0x{byte:02x} at offset {offset + error.start}; "
            "to model raw bytes use --tokens byte"
        ) from error


def unreadable(path: Path, error: OSError | ValueError) -> DataError:
    """Return the error of a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"there is no file {path}")
    if isinstance(error, PermissionError):
        return DataError(f"{path} may not be read: permission denied")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return DataError(f"{path} cannot be read: {reason}")
