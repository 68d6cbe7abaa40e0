"""An effect on a file of sound, from chunk to chunk: WAV, FLAC or OGG in, WAV out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.features.audio import audio_chunks, audio_rate
from loopcell.errors import DataError, UsageError
from loopcell.files import atomic_write
from loopcell.files.extras import require
from loopcell.tasks.audio.stream import EffectStream

CHUNK = 4096  # samples that are read at a time: below a tenth of a second at 44,100 Hz
FLOATS = ("FLOAT", "DOUBLE")
WRITTEN = ("PCM_16", "PCM_24", "PCM_32", *FLOATS)
OTHERWISE = "PCM_24"


class Processed(NamedTuple):
    """The account of a file that went through an effect.

    Attributes:
        samples: of each channel.
        channels: C.
        sample_rate: Hz.
        peak: the largest size of a sample that came out, 1 being full scale.
        clipped: how many samples were beyond full scale and were cut there; none of a file of floats is.
    """

    samples: int
    channels: int
    sample_rate: int
    peak: float
    clipped: int

    def summary(self) -> str:
        """Return it as a line."""
        seconds = self.samples / self.sample_rate
        streams = "" if self.channels == 1 else f" in {self.channels} channels"
        clipped = f"; {self.clipped:,} samples were beyond full scale and are clipped" if self.clipped else ""
        return f"{self.samples:,} samples ({seconds:.3f} s){streams}, peak {self.peak:.3f}{clipped}"


def process_file(stream_of: Callable[[int], EffectStream], sample_rate: int, source: Path, target: Path) -> Processed:
    """Write an effect on a file; see `AudioEffect.process_file`.

    Args:
        stream_of: makes a stream of so many channels.
        sample_rate: of the effect.
        source: the file.
        target: a .wav file.
    """
    if target.suffix.lower() != ".wav":
        raise UsageError(f"{target}: an effect writes WAV files; name a .wav")
    rate = audio_rate(source)
    if rate != sample_rate:
        raise DataError(
            f"{source} has {rate:,} Hz, and the effect {sample_rate:,}: at another rate it is another effect, so "
            "resample the sound first"
        )
    chunks = audio_chunks(source, CHUNK)
    first = next(chunks, None)
    if first is None:
        raise DataError(f"{source} has no samples")
    kind = _kind(source)
    samples, peak, clipped = 0, 0.0, 0
    wav = _wav(target, rate, first.shape[1], kind)
    with wav as file, stream_of(first.shape[1]) as stream:
        for chunk in itertools.chain([first], chunks):
            found = stream.feed(chunk)
            size = np.abs(found)
            peak = max(peak, float(size.max()))
            if kind not in FLOATS:
                clipped += int((size > 1.0).sum())
                found = np.clip(found, -1.0, 1.0)
            file.write(found)
            samples += len(found)
    return Processed(samples, first.shape[1], rate, peak, clipped)


def _kind(source: Path) -> str:
    """Return the numbers of a file where a WAV file can have them, else 24 bits."""
    found: str = _soundfile().info(str(source)).subtype
    return found if found in WRITTEN else OTHERWISE


@contextmanager
def _wav(target: Path, rate: int, channels: int, kind: str) -> Iterator[Any]:
    """Open a WAV file to be written, which is there once the block has ended well."""
    soundfile = _soundfile()
    with (
        atomic_write(target) as temporary,
        soundfile.SoundFile(
            str(temporary), "w", samplerate=rate, channels=channels, subtype=kind, format="WAV"
        ) as file,
    ):
        yield file


def _soundfile() -> Any:
    return require("soundfile", "audio", "sound files need")
