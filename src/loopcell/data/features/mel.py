"""Mel filter banks: the energy of a sound in bands as wide as the ear hears them, frame by frame.

The equations are those of the HTK Book 3.4 (Young et al., 2006), section 5.4 and 5.6: frames under a window, the
power spectrum, triangular filters that are even on the mel scale, the logarithm, and for MFCC a cosine transform.
The mel scale and the height of the triangles may also be those of Slaney's Auditory Toolbox (1998), which librosa takes
where nothing is said.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError

Floats = npt.NDArray[np.float32]
LARGEST_BANK = 1 << 22  # weights, 32 megabytes: 256 bands of a window of 32,768 samples
BLOCK_VALUES = 1 << 20  # of frames that are transformed at a time
FLOOR = 1e-10  # of the energy, before the logarithm: silence is -23, not minus infinity


MEL_SCALES = ("htk", "slaney")
SLANEY_LINEAR = 200 / 3  # Hz for each mel below the corner
SLANEY_CORNER = 1000.0  # Hz; above it 27 mels are a factor of 6.4
SLANEY_STEP = math.log(6.4) / 27


def mel(frequency: npt.ArrayLike, scale: str = "htk") -> npt.NDArray[np.float64]:
    """Convert Hz to mel.

    Args:
        frequency: in Hz.
        scale: "htk" is 2595 log10(1 + f / 700) (HTK Book, eq. 5.13; O'Shaughnessy 1987); "slaney" is linear up to
            1000 Hz and logarithmic above (Slaney: Auditory Toolbox, Version 2, 1998).
    """
    hz = np.asarray(frequency, np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    above = np.log(np.maximum(hz, SLANEY_CORNER) / SLANEY_CORNER) / SLANEY_STEP
    return np.minimum(hz, SLANEY_CORNER) / SLANEY_LINEAR + above


def hertz(mels: npt.ArrayLike, scale: str = "htk") -> npt.NDArray[np.float64]:
    """Convert mel to Hz, the inverse of `mel`."""
    mels = np.asarray(mels, np.float64)
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    corner = SLANEY_CORNER / SLANEY_LINEAR
    found: npt.NDArray[np.float64] = np.minimum(mels, corner) * SLANEY_LINEAR
    return found * np.exp(SLANEY_STEP * np.maximum(mels - corner, 0))


def check_bands(sample_rate: int, fft_size: int, bands: int, scale: str = "htk") -> None:
    """Refuse bands that would always be empty, or whose filters would fill the memory; nothing of their size is made.

    Raises:
        UsageError: a band lies between two frequencies of the spectrum, or the filters have too many numbers.
    """
    count = fft_size // 2 + 1
    if bands * count > LARGEST_BANK:
        raise UsageError(
            f"{bands} bands of {count} frequencies are more than {LARGEST_BANK:,} weights; take fewer "
            "bands or a shorter window"
        )
    corners, frequencies = _corners(sample_rate, bands, scale), _frequencies(sample_rate, fft_size)
    inside = np.searchsorted(frequencies, corners[2:], "left") - np.searchsorted(frequencies, corners[:-2], "right")
    empty = np.flatnonzero(inside <= 0)
    if len(empty):
        raise UsageError(
            f"{bands} bands are too many for a spectrum of {count} frequencies: band {int(empty[0]) + 1} "
            "has none; take fewer bands or a longer window"
        )


@lru_cache(maxsize=16)
def filter_bank(sample_rate: int, fft_size: int, bands: int, scale: str = "htk") -> npt.NDArray[np.float64]:
    """Return the weights of each frequency in each band, `[bands, fft_size / 2 + 1]`; errors as `check_bands`.

    Triangles whose corners are even on the mel scale from 0 Hz to half the sample rate: with a peak of 1, or, as
    Slaney has them, with an area of 1 Hz.
    """
    check_bands(sample_rate, fft_size, bands, scale)
    corners, frequencies = _corners(sample_rate, bands, scale), _frequencies(sample_rate, fft_size)
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    weights = np.minimum((frequencies - low) / (peak - low), (high - frequencies) / (high - peak)).clip(min=0)
    if scale == "slaney":
        weights *= 2 / (high - low)
    weights.setflags(write=False)
    return weights


def _corners(sample_rate: int, bands: int, scale: str) -> npt.NDArray[np.float64]:
    return hertz(np.linspace(0, mel(sample_rate / 2, scale), bands + 2), scale)


def _frequencies(sample_rate: int, fft_size: int) -> npt.NDArray[np.float64]:
    return np.arange(fft_size // 2 + 1) * sample_rate / fft_size


@lru_cache(maxsize=16)
def cosines(coefficients: int, bands: int) -> npt.NDArray[np.float64]:
    """Return the orthonormal cosine transform `[coefficients, bands]` (HTK Book, eq. 5.14; usual scale for k = 0)."""
    k, j = np.arange(coefficients)[:, None], np.arange(bands)[None, :]
    found = math.sqrt(2 / bands) * np.cos(math.pi * k / bands * (j + 0.5))
    found[0] /= math.sqrt(2)
    found.setflags(write=False)
    return found


def log_energies(frames: Floats, sample_rate: int, bands: int, scale: str = "htk") -> Floats:
    """Return the logarithm of the energy in each band, float32 `[T, bands]`, of frames `[T, W]`.

    A frame's numbers hang on nothing but the frame, bit for bit, so that a stream gives those of the whole.
    """
    width = frames.shape[1]
    fft_size = 1 << (width - 1).bit_length()
    window, bank = np.hanning(width + 1)[:-1], filter_bank(sample_rate, fft_size, bands, scale)
    found = np.empty((len(frames), bands), np.float32)
    rows = max(1, BLOCK_VALUES // fft_size)
    for start in range(0, len(frames), rows):  # frames overlap, so all at once they take far more than the sound does
        spectrum = np.fft.rfft(frames[start : start + rows] * window, fft_size, axis=1)
        found[start : start + rows] = np.log(np.maximum(_energies(np.abs(spectrum) ** 2, bank), FLOOR))
    return found


def _energies(powers: npt.NDArray[np.float64], bank: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the energy in each band `[T, bands]` of power spectra `[T, F]`.

    Not a product of matrices, which adds up in an order that depends on T; and a band is a few frequencies.
    """
    found = np.empty((len(powers), len(bank)))
    for band, weights in enumerate(bank):
        inside = np.flatnonzero(weights)
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        found[:, band] = np.einsum("tf,f->t", powers[:, part], weights[part])
    return found


class WaitingSamples(NamedTuple):
    """The place where a `Framer` stands.

    Attributes:
        samples: float32 `[n]`, those that a later frame has, too.
        covered: how many of these some frame has had already.
    """

    samples: Floats
    covered: int


class Framer:
    """Cuts a stream of samples into overlapping frames, as soon as each is whole.

    Frame t has the samples `t * hop .. t * hop + width - 1`. The last one is filled up with zeros, so that every
    sample is in a frame.
    """

    def __init__(self, width: int, hop: int) -> None:
        self._width, self._hop = width, hop
        self._held = np.empty(0, np.float32)
        self._covered = 0  # samples at the start of `_held` that some frame has had already

    @property
    def waiting(self) -> WaitingSamples:
        """The part of the samples so far that is kept; setting it goes there."""
        return WaitingSamples(self._held.copy(), self._covered)

    @waiting.setter
    def waiting(self, waiting: WaitingSamples) -> None:
        samples, covered = waiting
        fits = samples.dtype == np.float32 and samples.ndim == 1 and len(samples) < self._width
        if not fits or not 0 <= covered <= len(samples) or not np.isfinite(samples).all():
            raise ValueError("these are not samples that wait for a frame")
        self._held, self._covered = samples.copy(), covered

    def push(self, samples: Floats) -> Floats:
        """Take samples `[n]` and give the frames that are whole now, `[t, width]`."""
        held = np.concatenate([self._held, samples])
        count = max(0, (len(held) - self._width) // self._hop + 1)
        self._keep(held, count)
        return (
            np.lib.stride_tricks.sliding_window_view(held, self._width)[:: self._hop][:count] if count else self._none()
        )

    def finish(self) -> Floats:
        """Give the last frame, `[1, width]`, or none `[0, width]` if every sample has been in one."""
        if len(self._held) <= self._covered:
            return self._none()
        last = np.zeros((1, self._width), np.float32)
        last[0, : len(self._held)] = self._held
        self._held, self._covered = self._held[:0], 0
        return last

    def _keep(self, held: Floats, frames: int) -> None:
        self._held = held[frames * self._hop :]
        if frames:
            self._covered = max(0, self._width - self._hop)

    def _none(self) -> Floats:
        return np.empty((0, self._width), np.float32)
