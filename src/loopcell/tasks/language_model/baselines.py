"""Baselines of a language model: counting tokens, and a compressor."""

from __future__ import annotations

import lzma
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def unigram_nats(train_counts: npt.NDArray[np.int64], held_out_counts: npt.NDArray[np.int64]) -> float:
    """Return the nats per token when every token is predicted by how often training saw it, one added to each count.

    Args:
        train_counts: [V], occurrences in training.
        held_out_counts: [V], occurrences in the text that is scored.
    """
    probabilities = (train_counts + 1) / (train_counts.sum() + len(train_counts))
    return float(-(held_out_counts * np.log(probabilities)).sum() / held_out_counts.sum())


def lzma_bits(blocks: Iterable[bytes]) -> int:
    """Return the bits of a text compressed by LZMA at its strongest, which sees nothing but this text."""
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)
    return 8 * (sum(len(compressor.compress(block)) for block in blocks) + len(compressor.flush()))
