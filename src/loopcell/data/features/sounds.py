"""Features of sounds: raw samples, log-mel bands, MFCC."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import as_array
from loopcell.data.examples.sequences import check_finite
from loopcell.data.features.audio import Audio, check_length, read_audio, resample
from loopcell.data.features.bounds import check_positive
from loopcell.data.features.mel import MEL_SCALES, Framer, WaitingSamples, check_bands, cosines, log_energies
from loopcell.errors import DataError, UsageError

Floats = npt.NDArray[np.float32]
MOST_CHANNELS = 1024  # as libsndfile has it


@dataclass(frozen=True)
class RawAudio:
    """The samples themselves: T is the number of samples, I that of channels.

    Attributes:
        sample_rate: Hz; files of another rate are resampled, arrays are taken to have it.
        channels: 1 mixes all of a sound's channels; more have to be there.
    """

    kind: ClassVar[str] = "raw-audio"
    sample_rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes below 1, and more channels than a file can have."""
        check_positive(sample_rate=self.sample_rate, channels=self.channels)
        if self.channels > MOST_CHANNELS:
            raise UsageError(f"a sound has at most {MOST_CHANNELS:,} channels, got {self.channels:,}")

    @property
    def input_size(self) -> int:
        """The number of channels."""
        return self.channels

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give the samples, float32 `[N, C]`, of a path, an `Audio`, or an array `[N]` or `[N, C]`."""
        samples = samples_of(example, name, self.sample_rate)
        if self.channels == 1:
            return np.asarray(samples.mean(axis=1, keepdims=True), np.float32)
        if samples.shape[1] != self.channels:
            raise DataError(f"{_name(example, name)} has {samples.shape[1]} channels, not {self.channels}")
        return samples

    def stream(self) -> RawStream:
        """Return the same of a sound that comes bit by bit."""
        return RawStream(self)


@dataclass(frozen=True)
class LogMel:
    """The logarithm of the energy in mel bands, a step for each frame (see `mel.py` for the equations).

    Attributes:
        sample_rate: Hz; files of another rate are resampled, arrays are taken to have it.
        bands: how many, I.
        window: a frame's length, seconds.
        hop: from one frame's start to the next one's, seconds.
        mel_scale: "htk", or "slaney" for bands as librosa has them where nothing is said.
    """

    kind: ClassVar[str] = "log-mel"
    sample_rate: int
    bands: int = 40
    window: float = 0.025
    hop: float = 0.010
    mel_scale: str = field(default="htk", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse settings that make no features; UsageError."""
        check_positive(sample_rate=self.sample_rate, bands=self.bands)
        if not 0 < self.hop <= self.window <= 10:
            raise UsageError(f"0 < hop <= window <= 10 seconds, got a window of {self.window} and a hop of {self.hop}")
        if not 2 <= self.width <= 1 << 20 or self.step < 1:
            raise UsageError(
                f"a frame has 2 samples to 2**20, and a hop at least 1; at {self.sample_rate} Hz a window of "
                f"{self.window} s has {self.width}, and a hop of {self.hop} s has {self.step}"
            )
        if self.bands > self.width:
            raise UsageError(f"{self.bands} bands are too many for frames of {self.width} samples")
        if self.mel_scale not in MEL_SCALES:
            raise UsageError(f"mel_scale is {' or '.join(MEL_SCALES)}, not {self.mel_scale!r}")
        check_bands(self.sample_rate, 1 << (self.width - 1).bit_length(), self.bands, self.mel_scale)

    @property
    def width(self) -> int:
        """A frame's length in samples."""
        return round(self.window * self.sample_rate)

    @property
    def step(self) -> int:
        """The hop in samples."""
        return round(self.hop * self.sample_rate)

    @property
    def input_size(self) -> int:
        """The number of bands."""
        return self.bands

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[T, I]` of a path, an `Audio`, or an array `[N]` or `[N, C]`; channels are mixed."""
        stream = self.stream()
        samples = samples_of(example, name, self.sample_rate)
        return np.concatenate([stream.push(samples), stream.finish()])

    def stream(self) -> MelStream:
        """Return the same features of a sound that comes bit by bit."""
        return MelStream(self)

    def of_frames(self, frames: Floats) -> Floats:
        """Return the features `[T, I]` of frames `[T, width]`; DataError where they would take too much memory."""
        check_length("the sound in bands", len(frames) * self.bands)
        return log_energies(frames, self.sample_rate, self.bands, self.mel_scale)


@dataclass(frozen=True)
class Mfcc(LogMel):
    """Mel-frequency cepstral coefficients: the cosine transform of `LogMel`, its first coefficients.

    Davis, Mermelstein: Comparison of parametric representations for monosyllabic word recognition in continuously
    spoken sentences, 1980.

    Attributes:
        coefficients: how many, I; the first is the energy of all bands.
    """

    kind: ClassVar[str] = "mfcc"
    coefficients: int = 13

    def __post_init__(self) -> None:
        """Refuse settings that make no features; UsageError."""
        super().__post_init__()
        if not 1 <= self.coefficients <= self.bands:
            raise UsageError(f"there are 1 to {self.bands} coefficients of {self.bands} bands, got {self.coefficients}")

    @property
    def input_size(self) -> int:
        """The number of coefficients."""
        return self.coefficients

    def of_frames(self, frames: Floats) -> Floats:
        """Return the features `[T, I]` of frames `[T, width]`."""
        # No product of matrices, which adds up in an order that depends on T: see `log_energies`.
        found: Floats = np.einsum("tb,kb->tk", super().of_frames(frames), cosines(self.coefficients, self.bands))
        return found.astype(np.float32)


class RawStream:
    """The samples of a sound that comes bit by bit."""

    def __init__(self, features: RawAudio) -> None:
        self._features = features

    @property
    def waiting(self) -> WaitingSamples:
        """Nothing: each sample is a step."""
        return WaitingSamples(np.empty(0, np.float32), 0)

    @waiting.setter
    def waiting(self, waiting: WaitingSamples) -> None:
        if len(waiting.samples):
            raise ValueError("no sample waits")

    def push(self, samples: Floats) -> Floats:
        """Take samples `[n]` or `[n, C]` and give them as `[n, I]`."""
        return self._features(samples) if len(samples) else np.empty((0, self._features.channels), np.float32)

    def finish(self) -> Floats:
        """Give `[0, I]`: nothing is left."""
        return self.push(np.empty(0, np.float32))


class MelStream:
    """Features of a sound that comes bit by bit: what `push` and `finish` give, put together, is that of the whole."""

    def __init__(self, features: LogMel) -> None:
        self._features = features
        self._framer = Framer(features.width, features.step)

    @property
    def waiting(self) -> WaitingSamples:
        """The samples that a later frame has; setting it goes there, and ValueError says that it cannot be."""
        return self._framer.waiting

    @waiting.setter
    def waiting(self, waiting: WaitingSamples) -> None:
        self._framer.waiting = waiting

    def push(self, samples: Floats) -> Floats:
        """Take samples `[n]` or `[n, C]` and give the features `[t, I]` of the frames that are whole now."""
        mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
        return self._features.of_frames(self._framer.push(mono))

    def finish(self) -> Floats:
        """Give the features of the last frame, `[1, I]`, or `[0, I]` if there is none."""
        return self._features.of_frames(self._framer.finish())


def samples_of(example: Any, name: str, sample_rate: int) -> Floats:
    """Return a sound as float32 `[N, C]` at a rate."""
    if isinstance(example, str | os.PathLike):
        return read_audio(example, sample_rate=sample_rate).samples
    if isinstance(example, Audio):
        return resample(samples_of(example.samples, name, sample_rate), example.sample_rate, sample_rate)
    array = as_array(example, name)
    if array.dtype in (np.int16, np.int32):  # as a WAV file has them
        array = array / np.float32(-int(np.iinfo(array.dtype).min))
    given, array = array, array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise DataError(
            f"{name} is not a sound: samples [N] or [N, C] are floats from -1 to 1, or int16 or int32 as a WAV file "
            f"has them; got {given.dtype} of {list(given.shape)}"
        )
    check_finite(array, name)
    return array.astype(np.float32, copy=False)


def _name(example: Any, name: str) -> str:
    return str(example) if isinstance(example, str | os.PathLike) else name
