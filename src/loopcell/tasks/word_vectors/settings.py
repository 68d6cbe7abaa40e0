"""The constructor arguments of `WordVectors`. No torch here: flags are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, PositiveInt

from loopcell.tasks.core.argument_types import RandomState, drawn_seed
from loopcell.tasks.core.config import Size
from loopcell.training.config import NotNegative, Positive

LONGEST_NGRAM = 32
MOST_NEGATIVES = 64  # the room that negative_sampling.c has
MOST_BUCKETS = 1 << 24


def _lengths(value: tuple[int, int] | None) -> tuple[int, int] | None:
    if value and not 1 <= value[0] <= value[1] <= LONGEST_NGRAM:
        raise ValueError(f"n-grams are of 1 to {LONGEST_NGRAM} letters, the shortest length first, such as (3, 6)")
    return value


NgramLengths = Annotated[tuple[int, int] | None, AfterValidator(_lengths)]


@dataclass(kw_only=True, repr=False, eq=False)
class WordVectorSettings:
    """The arguments of a `WordVectors`. The defaults are those of word2vec and gensim.

    Args:
        vector_size: E, the length of a word's vector.
        cbow: predict a word from the mean of those around it (CBOW), and not each of those around a word from it
            (skip-gram).
        window: the most words to each side; how many of them count is drawn anew for each word, from 1 on.
        negatives: noise words that are drawn for each word that is predicted.
        noise_power: noise words are drawn by their count to this power.
        subsampling: a word that makes up a larger share of the text than this is left out now and then; 0 keeps all.
        min_count: words that are there less often have no vector.
        vocabulary_size: the most tokens of the vocabulary: words that have a vector; None for all.
        ngrams: the shortest and the longest n-grams of letters that have vectors too. With (3, 6) a word's vector is
            the mean of its own and theirs, and unknown words have one as well. None for whole words alone.
        buckets: n-grams share so many vectors, found by a hash.
        jamo: n-grams are of jamo, the letters that a Hangul syllable is made of, and not of syllables.
        lower: texts are taken in lower case.
        epochs: passes over the data.
        learning_rate: the largest learning rate: at the start, from where it falls in a straight line.
        last_learning_rate: the learning rate at the end.
        workers: threads. With more than one, two runs are no longer alike.
        random_state: a seed, a `numpy.random.RandomState`, or None, which draws a fresh seed; the seed that
            was drawn is `random_state_` after `fit`.
        progress: show a bar on standard error.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    vector_size: Size = 100
    cbow: bool = False
    window: Annotated[int, Field(ge=1, le=1000)] = 5
    negatives: Annotated[int, Field(ge=1, le=MOST_NEGATIVES)] = 5
    noise_power: Annotated[float, Field(ge=-8.0, le=8.0)] = 0.75
    subsampling: NotNegative = 1e-3
    min_count: PositiveInt = 5
    vocabulary_size: PositiveInt | None = None
    ngrams: NgramLengths = None
    buckets: Annotated[int, Field(ge=1, le=MOST_BUCKETS)] = 100_000
    jamo: bool = False
    lower: bool = False
    epochs: PositiveInt = 5
    learning_rate: Positive = 0.025
    last_learning_rate: NotNegative = 1e-4
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    random_state: RandomState = None
    progress: bool = False

    def seed(self) -> int:
        """Return a number for the random generators."""
        return drawn_seed(self.random_state)
