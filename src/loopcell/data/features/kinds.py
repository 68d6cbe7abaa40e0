"""Features: what turns a sound or an image into a sequence `[T, I]`. A model keeps its features as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.sequences import check_finite
from loopcell.data.features.audio import Audio, read_audio, resample
from loopcell.data.features.images import read_image
from loopcell.data.features.mel import Framer, cosines, filter_bank, log_energies
from loopcell.errors import DataError, FileFormatError, UsageError

Floats = npt.NDArray[np.float32]


class Features(Protocol):
    """Turns one example into a sequence."""

    kind: ClassVar[str]

    @property
    def input_size(self) -> int:
        """I."""

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[T, I]`; DataError, with the file or `name`, when the example cannot be used."""


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
        """Refuse sizes below 1."""
        _check_positive(sample_rate=self.sample_rate, channels=self.channels)

    @property
    def input_size(self) -> int:
        """The number of channels."""
        return self.channels

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give the samples, float32 `[N, C]`, of a path, an `Audio`, or an array `[N]` or `[N, C]`."""
        samples = _samples(example, name, self.sample_rate)
        if self.channels == 1:
            return np.asarray(samples.mean(axis=1, keepdims=True), np.float32)
        if samples.shape[1] != self.channels:
            raise DataError(f"{_name(example, name)} has {samples.shape[1]} channels, not {self.channels}")
        return samples


@dataclass(frozen=True)
class LogMel:
    """The logarithm of the energy in mel bands, a step for each frame (see `mel.py` for the equations).

    Attributes:
        sample_rate: Hz; files of another rate are resampled, arrays are taken to have it.
        bands: how many, I.
        window: a frame's length, seconds.
        hop: from one frame's start to the next one's, seconds.
    """

    kind: ClassVar[str] = "log-mel"
    sample_rate: int
    bands: int = 40
    window: float = 0.025
    hop: float = 0.010

    def __post_init__(self) -> None:
        """Refuse settings that make no features; UsageError."""
        _check_positive(sample_rate=self.sample_rate, bands=self.bands)
        if not 0 < self.hop <= self.window <= 10:
            raise UsageError(f"0 < hop <= window <= 10 seconds, got a window of {self.window} and a hop of {self.hop}")
        if not 2 <= self.width <= 1 << 20 or self.step < 1:
            raise UsageError(
                f"a frame has 2 samples to 2**20, and a hop at least 1; at {self.sample_rate} Hz a window of "
                f"{self.window} s has {self.width}, and a hop of {self.hop} s has {self.step}"
            )
        if self.bands > self.width:
            raise UsageError(f"{self.bands} bands are too many for frames of {self.width} samples")
        filter_bank(self.sample_rate, 1 << (self.width - 1).bit_length(), self.bands)

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
        samples = _samples(example, name, self.sample_rate)
        return np.concatenate([stream.push(samples), stream.finish()])

    def stream(self) -> MelStream:
        """The same features of a sound that comes bit by bit."""
        return MelStream(self)

    def of_frames(self, frames: Floats) -> Floats:
        """The features `[T, I]` of frames `[T, width]`."""
        return log_energies(frames, self.sample_rate, self.bands)


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
        """The features `[T, I]` of frames `[T, width]`."""
        return (super().of_frames(frames) @ cosines(self.coefficients, self.bands).T).astype(np.float32)


class MelStream:
    """Features of a sound that comes bit by bit: what `push` and `finish` give, put together, is that of the whole."""

    def __init__(self, features: LogMel) -> None:
        self._features = features
        self._framer = Framer(features.width, features.step)

    def push(self, samples: Floats) -> Floats:
        """Take samples `[n]` or `[n, C]` and give the features `[t, I]` of the frames that are whole now."""
        mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
        return self._features.of_frames(self._framer.push(mono))

    def finish(self) -> Floats:
        """Give the features of the last frame, `[1, I]`, or `[0, I]` if there is none."""
        return self._features.of_frames(self._framer.finish())


@dataclass(frozen=True)
class ImageRows:
    """An image read row by row from the top: T is its height, I its width (times 3 in colour).

    Attributes:
        height: pixels; files of another size are scaled, arrays have to have it.
        width: pixels.
        colour: red, green and blue of each pixel, instead of its brightness.
    """

    kind: ClassVar[str] = "image-rows"
    height: int
    width: int
    colour: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes below 1."""
        _check_positive(height=self.height, width=self.width)

    @property
    def input_size(self) -> int:
        """The numbers of a row."""
        return self.width * (3 if self.colour else 1)

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[H, W]`, or `[H, 3 W]` in colour, of a path or an array; bytes become 0 to 1."""
        return _pixels(example, name, (self.height, self.width), self.colour).reshape(self.height, -1)


@dataclass(frozen=True)
class ImagePixels(ImageRows):
    """An image read pixel by pixel, as a book is read: T is height times width, I is 1 (3 in colour)."""

    kind: ClassVar[str] = "image-pixels"

    @property
    def input_size(self) -> int:
        """The numbers of a pixel."""
        return 3 if self.colour else 1

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[H W, 1]`, or `[H W, 3]` in colour, of a path or an array; bytes become 0 to 1."""
        return super().__call__(example, name).reshape(-1, self.input_size)


FEATURES: dict[str, type[RawAudio | LogMel | ImageRows]] = {
    kind.kind: kind for kind in (RawAudio, LogMel, Mfcc, ImageRows, ImagePixels)
}


def features_to_json(features: RawAudio | LogMel | ImageRows) -> dict[str, object]:
    """Everything that the features are, as plain JSON values."""
    return {"kind": features.kind, **asdict(features)}


def features_from_json(data: object) -> RawAudio | LogMel | ImageRows:
    """Read what `features_to_json` gave, trusting nothing in it; FileFormatError for anything else."""
    if not isinstance(data, Mapping) or str(data.get("kind")) not in FEATURES:
        raise FileFormatError("the stored features are of no known kind")
    kind = FEATURES[str(data["kind"])]
    given = {str(name): value for name, value in data.items() if name != "kind"}
    expected = {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    if given.keys() != expected.keys() or any(type(given[name]) not in expected[name] for name in given):
        raise FileFormatError(f"the stored {kind.kind} features are not the settings {', '.join(expected)}")
    try:
        return kind(**given)
    except (UsageError, ValueError, OverflowError) as error:
        raise FileFormatError(f"the stored {kind.kind} features are not valid: {error}") from error


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}


def _samples(example: Any, name: str, sample_rate: int) -> Floats:
    """A sound as float32 `[N, C]` at a rate."""
    if isinstance(example, str | os.PathLike):
        return read_audio(example, sample_rate=sample_rate).samples
    if isinstance(example, Audio):
        return resample(_samples(example.samples, name, sample_rate), example.sample_rate, sample_rate)
    array = np.asarray(example)
    if array.dtype in (np.int16, np.int32):  # as a WAV file has them
        array = array / np.float32(-int(np.iinfo(array.dtype).min))
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise DataError(
            f"{name} is not a sound: samples are numbers [N] or [N, C], got {array.dtype} of {list(array.shape)}"
        )
    check_finite(array, name)
    return array.astype(np.float32, copy=False)


def _pixels(example: Any, name: str, size: tuple[int, int], colour: bool) -> Floats:
    """An image as float32 `[H, W]` or `[H, W, 3]`."""
    if isinstance(example, str | os.PathLike):
        return read_image(example, size=size, colour=colour)
    array = np.asarray(example)
    shape = (*size, 3) if colour else size
    if array.dtype.kind not in "uf" or array.shape != shape:
        raise DataError(
            f"{name} is to be an image {list(shape)} of bytes or floats, got {array.dtype} of {list(array.shape)}"
        )
    if array.dtype.kind == "u":
        return (array / np.float32(np.iinfo(array.dtype).max)).astype(np.float32)
    check_finite(array.reshape(size[0], -1), name)
    return array.astype(np.float32, copy=False)


def _name(example: Any, name: str) -> str:
    return str(example) if isinstance(example, str | os.PathLike) else name


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{name} is at least 1, got {size}")
