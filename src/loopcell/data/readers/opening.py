"""Files as streams of bytes: gzip and Zstandard are taken off on the way, and nothing is read ahead."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from loopcell.data.text.source import file_size, unreadable
from loopcell.errors import DataError
from loopcell.files.extras import require

BUFFER_BYTES = 1 << 18
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ENDINGS = {".gz": "gzip", ".zst": "zstd"}
ZSTD_WINDOW = 1 << 27  # bytes; what `zstd -d` allows too
ZSTD_PIECE = 1 << 9  # bytes; 4 bytes may stand for 128 KiB, so this bounds what one piece becomes to 16 MiB


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def compression(path: Path) -> str | None:
    """Return a file's compression by its first bytes: "gzip", "zstd" or None.

    Raises:
        DataError: the file cannot be read, is empty, or its ending promises a compression that it has not.
    """
    if not file_size(path):
        raise DataError(f"{path} is empty")
    try:
        with path.open("rb") as file:
            first = file.read(4)
    except OSError as error:
        raise unreadable(path, error) from error
    found = "gzip" if first[:2] == GZIP else "zstd" if first == ZSTD else None
    promised = ENDINGS.get(path.suffix.lower())
    if promised and found != promised:
        raise DataError(f"{path} is not {promised}: it begins with the bytes {first.hex(' ')}")
    return found


def plain_name(path: Path) -> Path:
    """Return the file's path without the ending of its compression."""
    return path.with_suffix("") if path.suffix.lower() in ENDINGS else path


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading from its start to its end, decompressed on the way.

    Raises:
        DataError: it cannot be read or is empty; in the block too, where it is damaged or ends too early.
        MissingExtraError: it is compressed by Zstandard and the zstandard package is not installed.
    """
    kind = compression(path)
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            raw: _Readable = file
            if kind == "gzip":
                raw = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
            elif kind == "zstd":
                raw = _Zstd(file, path)
            yield cast(BinaryIO, stack.enter_context(io.BufferedReader(_Guarded(raw, path), BUFFER_BYTES)))
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def create_bytes(path: Path, like: Path) -> Iterator[BinaryIO]:
    """Open a file for writing, compressed on the way as the ending of the name `like` promises.

    Raises:
        OSError: the disk is full, ...
        MissingExtraError: Zstandard is promised and the zstandard package is not installed.
    """
    kind = ENDINGS.get(like.suffix.lower())
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if kind == "gzip":  # without a name and a time the same content gives the same file
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        elif kind == "zstd":
            library = require("zstandard", "data", "Zstandard files need")
            file = stack.enter_context(library.ZstdCompressor().stream_writer(file, closefd=False))
        yield cast(BinaryIO, file)


def head(path: Path, count: int) -> bytes:
    """Return the first `count` bytes of a file, or all if it has fewer, decompressed; errors as `open_bytes`."""
    with open_bytes(path) as stream:
        return stream.read(count)


def require_uncompressed(path: Path, what: str) -> None:
    """Refuse a compressed file of a kind that is not read from its start to its end; DataError."""
    found = compression(path)
    if found:
        raise DataError(f"{path} is {what} inside {found}: decompress it first, because it is not read in one stream")


class _Guarded(io.RawIOBase):
    """A stream whose errors name the file."""

    def __init__(self, raw: _Readable, path: Path) -> None:
        self._raw, self._path = raw, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            block = self._raw.read(len(view))
        except EOFError as error:
            raise DataError(f"{self._path} is truncated: it ends within its compressed data") from error
        except (OSError, zlib.error) as error:
            # gzip's complaint is an OSError without a number; a disk's has one.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise _damaged(self._path, error) from error
        view[: len(block)] = block
        return len(block)


class _Zstd:
    """Zstandard frames, one after the other. The library's own reader takes a cut-off file for a whole one."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._library = require("zstandard", "data", "Zstandard files need")
        self._file, self._path = file, path
        self._frame, self._waiting, self._ready = self._new_frame(), b"", memoryview(b"")

    def read(self, size: int, /) -> bytes:
        while not self._ready and (piece := self._waiting or self._file.read(ZSTD_PIECE)):
            if self._frame.eof:
                self._frame = self._new_frame()
            self._ready = memoryview(self._decompress(piece))
            self._waiting = self._frame.unused_data if self._frame.eof else b""
        if not self._ready and not self._frame.eof:
            raise EOFError
        block, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return block

    def _decompress(self, piece: bytes) -> bytes:
        try:
            return cast(bytes, self._frame.decompress(piece))
        except self._library.ZstdError as error:
            raise _damaged(self._path, error) from error

    def _new_frame(self) -> Any:
        return self._library.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged: its compressed data cannot be read ({error})")
