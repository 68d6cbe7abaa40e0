"""The task of learning, for the kernel and for plain PyTorch alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.tasks.word_vectors.corpus import Corpus
from loopcell.tasks.word_vectors.noise import Bits, Noise, keep_below, noise_of
from loopcell.tasks.word_vectors.settings import WordVectorSettings
from loopcell.tasks.word_vectors.subwords import Parts
from loopcell.tasks.word_vectors.tables import VectorTables

Matrix = npt.NDArray[np.float32]


class LearningTask(NamedTuple):
    """Matrices to learn, and the text to learn them from.

    Attributes:
        rows: [V + buckets, E], what a word's vector is made of.
        contexts: [V, E], what is predicted.
        parts: which rows make a word.
        keep: how often a word is kept.
        noise: what negatives are drawn from.
        sentences: int32 numbers of words.
        window: the most words to each side.
        negatives: for each word that is predicted.
        cbow: from those around a word to it, and not the other way round.
    """

    rows: Matrix
    contexts: Matrix
    parts: Parts
    keep: Bits
    noise: Noise
    sentences: Ragged
    window: int
    negatives: int
    cbow: bool

    @classmethod
    def of(cls, tables: VectorTables, parts: Parts, corpus: Corpus, settings: WordVectorSettings) -> LearningTask:
        """Return the task of learning tables from a text; the matrices are the tables' own memory."""
        return cls(
            rows=tables.rows.numpy(),
            contexts=tables.contexts.numpy(),
            parts=parts,
            keep=keep_below(corpus.counts, settings.subsampling),
            noise=noise_of(corpus.counts, settings.noise_power),
            sentences=corpus.sentences,
            window=settings.window,
            negatives=settings.negatives,
            cbow=settings.cbow,
        )
