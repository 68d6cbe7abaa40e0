"""The words that are left out of the text now and then, and those that are drawn as noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_WHOLE = 2**32
Bits = npt.NDArray[np.uint32]


def keep_below(counts: npt.NDArray[np.int64], subsampling: float) -> Bits:
    """Return for each word the number that 32 random bits must not be above for it to be kept, uint32 [V].

    A word of share f is kept with probability sqrt(t / f) + t / f, as word2vec does (the paper's equation 5 has the
    first term alone).

    Args:
        counts: of each word.
        subsampling: t; 0 keeps all.
    """
    share = counts / counts.sum()
    kept = np.sqrt(subsampling / share) + subsampling / share if subsampling else np.ones(len(counts))
    return _as_bits(kept)


class Noise(NamedTuple):
    """Drawing words by their weights in one step (Walker's alias method, 1977).

    Attributes:
        below: uint32 [V]: a column, drawn evenly, is the word that is drawn where 32 random bits are not above this;
        other: int32 [V]: ... and is this one where they are.
    """

    below: Bits
    other: npt.NDArray[np.int32]

    def draw(self, randomness: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Draw words."""
        column = randomness.integers(0, len(self.below), shape)
        chance = randomness.integers(0, _WHOLE, shape, dtype=np.uint32)
        return np.where(chance <= self.below[column], column, self.other[column])


def noise_of(counts: npt.NDArray[np.int64], power: float) -> Noise:
    """Return the table for words that are drawn by their count to a power."""
    weights = counts.astype(np.float64) ** power
    share = weights / weights.mean()
    below, other = np.ones(len(share)), np.arange(len(share), dtype=np.int32)
    poor, rich = list(np.flatnonzero(share < 1)), list(np.flatnonzero(share >= 1))
    while poor and rich:  # what a poor one lacks of a whole column, a rich one fills
        short, giver = poor.pop(), rich.pop()
        below[short], other[short] = share[short], giver
        share[giver] -= 1 - share[short]
        (poor if share[giver] < 1 else rich).append(giver)
    return Noise(_as_bits(below), other)


def _as_bits(probabilities: npt.NDArray[np.float64]) -> Bits:
    return np.clip(probabilities * _WHOLE - 1, 0, _WHOLE - 1).astype(np.uint32)
