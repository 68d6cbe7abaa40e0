"""Sound that comes through a pipe, as a recorder writes it: WAV, whose end nobody knows yet.

libsndfile wants to seek, which a pipe cannot. The format: Microsoft, IBM: Multimedia Programming Interface and Data
Specifications 1.0, 1991; `WAVE_FORMAT_EXTENSIBLE` as Microsoft describes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError

Floats = npt.NDArray[np.float32]
PCM, IEEE, EXTENSIBLE = 1, 3, 0xFFFE
LARGEST_CHUNK = 1 << 20  # bytes of notes before the sound: what recorders write is a few hundred
LARGEST_FORMAT = 256
ENDLESS = 0x7FFF0000  # from here on a size means: nobody knows
MOST_CHANNELS = 1024
_KINDS = {(PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "u1", (PCM, 32): "<i4", (IEEE, 32): "<f4", (IEEE, 64): "<f8"}


class PipedSound:
    """A WAV stream: what its header says, and its samples as they come.

    Args:
        source: where it comes from.
        name: what errors call it.

    Attributes:
        sample_rate: Hz.
        channels: C.
        promised: samples that the header promises; None where it does not know.

    Raises:
        DataError: it does not begin as WAV does, or has samples of a kind that is not read.
    """

    def __init__(self, source: BufferedIOBase, name: str) -> None:
        self._source, self._name = source, name
        riff = self._exactly(12, "its first bytes")
        if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            raise DataError(f"{name} is no WAV: it begins with {riff!r}")
        size = self._to_the_sound()
        self._each = self.channels * self._bits // 8
        self.promised = None if size == 0 or size >= ENDLESS else size // self._each

    def chunks(self, most: int) -> Iterator[Floats]:
        """Yield samples as soon as they are there, float32 `[n, C]` with n of 1 to `most`.

        Raises:
            DataError: it ends within a sample.
        """
        left, rest = (-1 if self.promised is None else self.promised * self._each), b""
        while left:
            wanted = most * self._each - len(rest)
            part = self._source.read1(wanted if left < 0 else min(wanted, left))
            if not part:
                break
            left -= len(part) if left > 0 else 0
            held = rest + part
            whole = len(held) // self._each * self._each
            rest = held[whole:]
            if whole:
                yield self._samples(held[:whole])
        if rest:
            raise DataError(f"{self._name} ends within a sample")

    def _samples(self, raw: bytes) -> Floats:
        kind = _KINDS[self._format, self._bits]
        values: npt.NDArray[Any] = np.frombuffer(raw, kind)
        if self._bits == 24:  # each is three bytes, the lowest first
            wide = np.zeros((len(raw) // 3, 4), np.uint8)
            wide[:, 1:] = values.reshape(-1, 3)
            values = wide.view("<i4")[:, 0]
        found: npt.NDArray[Any] = values
        if self._bits == 8:
            found = (values.astype(np.float32) - 128) / 128
        elif self._format == PCM:
            found = values.astype(np.float32) / (32768.0 if self._bits == 16 else 2147483648.0)
        return found.astype(np.float32, copy=False).reshape(-1, self.channels)

    def _to_the_sound(self) -> int:
        """Read chunks up to the samples, the format among them; return how many bytes of samples there are to be."""
        known = False
        while True:
            kind, size = struct.unpack("<4sI", self._exactly(8, "its sound begins"))
            if kind == b"data":
                if not known:
                    raise DataError(f"{self._name} has samples before it says of what format")
                return int(size)
            if size > (LARGEST_FORMAT if kind == b"fmt " else LARGEST_CHUNK):
                raise DataError(f"{self._name} has {size:,} bytes of {kind!r} before its sound: that is no recording")
            content = self._exactly(size + size % 2, "its sound begins")
            if kind == b"fmt ":
                self._read_format(content)
                known = True

    def _read_format(self, content: bytes) -> None:
        if len(content) < 16:
            raise DataError(f"{self._name} is damaged: its format has {len(content)} bytes")
        self._format, self.channels, self.sample_rate, _, _, self._bits = struct.unpack_from("<HHIIHH", content)
        if self._format == EXTENSIBLE and len(content) >= 26:
            (self._format,) = struct.unpack_from("<H", content, 24)
        if (self._format, self._bits) not in _KINDS:
            raise DataError(
                f"{self._name} has samples of format {self._format} with {self._bits} bits: write PCM or float"
            )
        if not 1 <= self.channels <= MOST_CHANNELS or self.sample_rate < 1:
            raise DataError(f"{self._name} is damaged: it says {self.sample_rate} Hz and {self.channels} channels")

    def _exactly(self, count: int, until: str) -> bytes:
        found = b""
        while len(found) < count:
            part = self._source.read(count - len(found))
            if not part:
                raise DataError(f"{self._name} ends before {until}: it is no WAV, or not a whole one")
            found += part
        return found
