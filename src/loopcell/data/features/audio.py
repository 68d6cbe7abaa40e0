"""Sound from WAV, FLAC and OGG files, whole or in chunks, through libsndfile; another sample rate through soxr."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.limits import LONGEST_SOUND
from loopcell.data.readers.opening import require_uncompressed
from loopcell.data.readers.reading import one_line, ours
from loopcell.errors import DataError, UsageError
from loopcell.files.extras import require

Floats = npt.NDArray[np.float32]

BLOCK = 1 << 16  # values that are read, or come of resampling, at a time
FARTHEST = 1 << 16  # from one sample rate to another, as a ratio


class Audio(NamedTuple):
    """Sound.

    Attributes:
        samples: float32 `[N, C]`, N samples of C channels, -1 to 1.
        sample_rate: samples a second, Hz.
    """

    samples: Floats
    sample_rate: int


def read_audio(path: str | os.PathLike[str], *, sample_rate: int | None = None) -> Audio:
    """Read a file of sound into memory.

    Args:
        path: a WAV, FLAC or OGG file.
        sample_rate: the rate to resample to, Hz; None: the file's own.

    Raises:
        DataError: it is no such file, is empty, truncated or damaged, has a sample that is not finite, or is too
            long for memory (`audio_chunks` reads it then), which is said before any of it is read; its sample rate is
            absurd.
        MissingExtraError: soundfile is not installed, or soxr is needed and is not.
    """
    blocks, total = [], 0
    with _opened(Path(path)) as file:
        rate = sample_rate or int(file.samplerate)
        check_length(str(path), file.frames * file.channels * (rate / file.samplerate))
        for block in _blocks(Path(path), file, sample_rate):
            blocks.append(block)
            total += block.size
            check_length(str(path), total)  # what a header says may be wrong
        if not total:
            raise DataError(
                f"{path} is shorter than one sample at {rate:,} Hz; it says that it has {file.samplerate:,}"
            )
        return Audio(np.concatenate(blocks), rate)


def audio_chunks(path: str | os.PathLike[str], steps: int, *, sample_rate: int | None = None) -> Iterator[Floats]:
    """Read a file of sound chunk by chunk, holding one chunk at a time.

    Yields:
        float32 `[steps, C]`; the last one may be shorter.

    Raises:
        DataError: as `read_audio`, except for the length. UsageError: `steps` is below 1.
    """
    if steps < 1:
        raise UsageError(f"a chunk has at least 1 step, got {steps}")
    with _opened(Path(path)) as file:
        waiting, count = list[Floats](), 0
        for block in _blocks(Path(path), file, sample_rate):
            waiting.append(block)
            count += len(block)
            if count < steps:  # put together once, when there are enough
                continue
            ready = np.concatenate(waiting)
            whole = count // steps * steps
            yield from (ready[start : start + steps] for start in range(0, whole, steps))
            waiting, count = [ready[whole:]], count - whole
        if count:
            yield np.concatenate(waiting)


def audio_rate(path: str | os.PathLike[str]) -> int:
    """Return the sample rate of a file, Hz; errors as `read_audio`."""
    with _opened(Path(path)) as file:
        return int(file.samplerate)


def resample(samples: Floats, rate: int, sample_rate: int) -> Floats:
    """Bring samples `[N, C]` from one rate to another, by soxr at high quality.

    Args:
        samples: float32 `[N, C]`.
        rate: theirs, Hz.
        sample_rate: the one that is wanted, Hz.

    Raises:
        DataError: it becomes too long for memory, or its rate is absurd.
        MissingExtraError: soxr is not installed.
    """
    if rate == sample_rate:
        return samples
    check_rates("the sound", rate, sample_rate)
    check_length("the sound", samples.size * (sample_rate / rate))
    soxr = require("soxr", "audio", "another sample rate needs")
    found: Floats = soxr.resample(np.ascontiguousarray(samples), rate, sample_rate).astype(np.float32, copy=False)
    return found


def check_length(name: str, values: float) -> None:
    """Refuse a sound that would take more memory than one should; DataError."""
    most = LONGEST_SOUND.most()
    if values > most:
        raise DataError(f"{name} has more than {most:,} samples: read it with audio_chunks; {LONGEST_SOUND.cure()}")


def check_rates(name: str, rate: int, sample_rate: int) -> None:
    """Refuse rates between which nothing is resampled, for lack of sense and of memory; DataError."""
    if not 1 / FARTHEST <= sample_rate / rate <= FARTHEST:
        raise DataError(f"{name} says that it has {rate:,} Hz, which is too far from {sample_rate:,} Hz to resample it")


def _blocks(path: Path, file: Any, sample_rate: int | None) -> Iterator[Floats]:
    """Yield the file's samples, checked, at the rate that is asked for."""
    if sample_rate in (None, file.samplerate):
        yield from _read(path, file, BLOCK)
        return
    check_rates(str(path), file.samplerate, sample_rate)
    blocks = _read(path, file, min(BLOCK, BLOCK * file.samplerate // sample_rate))
    yield from resampled(blocks, Rates(file.samplerate, sample_rate), file.channels, str(path))


class Rates(NamedTuple):
    """The sample rate that a sound has, and the one that is wanted, Hz."""

    given: int
    wanted: int


def resampled(blocks: Iterable[Floats], rates: Rates, channels: int, name: str) -> Iterator[Floats]:
    """Bring a sound that comes block by block to another sample rate.

    Args:
        blocks: float32 `[n, C]`.
        rates: theirs, and the one that is wanted.
        channels: C.
        name: of the sound, for a sentence.

    Raises:
        DataError: the rates are too far from each other. MissingExtraError: soxr is not installed.
    """
    check_rates(name, rates.given, rates.wanted)
    soxr = require("soxr", "audio", f"{name} has {rates.given} Hz, not {rates.wanted}: resampling needs")
    stream = soxr.ResampleStream(rates.given, rates.wanted, channels, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def _read(path: Path, file: Any, values: int) -> Iterator[Floats]:
    """Yield the file's samples in blocks of about so many values."""
    count, frames = 0, max(1, values // file.channels)
    while True:
        block = file.read(frames, dtype="float32", always_2d=True)
        if not len(block):
            break
        wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(wrong):
            at = count + int(wrong[0])
            raise DataError(f"{path}: sample {at + 1} (at {at / file.samplerate:.3f} s) is not a finite number")
        count += len(block)
        yield block
    if count < file.frames:
        raise DataError(f"{path} is truncated: it promises {file.frames:,} samples and has {count:,}")
    if not count:
        raise DataError(f"{path} has no samples")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the file; what libsndfile has against it is a DataError."""
    require_uncompressed(path, "sound")
    _check_wav(path)
    soundfile = require("soundfile", "audio", "sound files need")
    with ours(lambda: f"{path} cannot be read as sound"):
        try:
            with soundfile.SoundFile(path) as file:
                if file.samplerate < 1 or file.channels < 1:
                    raise DataError(f"{path} is damaged: it says {file.samplerate} Hz and {file.channels} channels")
                yield file
        except (soundfile.SoundFileError, OSError) as error:
            raise DataError(f"{path} cannot be read as sound: {one_line(error)}") from error


def _check_wav(path: Path) -> None:
    """Refuse a WAV file whose sound is cut off: libsndfile reads what is there and says nothing."""
    with path.open("rb") as file:
        riff = file.read(12)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            return
        promised = _data_chunk(file)
        there = path.stat().st_size - file.tell()
    if promised is None:
        raise DataError(f"{path} is truncated: it ends before its sound begins")
    # A program that writes to a pipe does not know the size and leaves 0 or the largest one.
    if promised not in (0, 0xFFFFFFFF, 0x7FFFFFFF) and promised > there:
        raise DataError(f"{path} is truncated: it promises {promised:,} bytes of sound and has {there:,}")


def _data_chunk(file: BinaryIO) -> int | None:
    """Go to the sound of a WAV file and give its size in bytes; None when there is none."""
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return size
        file.seek(size + size % 2, os.SEEK_CUR)
    return None
