"""A whole sequence as one vector without its order, for scikit-learn's linear models."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from loopcell.tasks.core.inputs import Input, TextInput, TokenInput, WordInput

MOST_N_GRAMS = 200_000
MOST_EXAMPLES = 200_000


def features_of(kind: Input) -> tuple[Pipeline, str]:
    """Return the function from examples of a kind of input to vectors, and a few words for it.

    Characters and tokens are counted with their neighbours (n-grams, weighted by tf-idf); of numbers there are mean,
    deviation, least, largest, first and last value, and the length.
    """
    if isinstance(kind, TextInput):
        n_grams = TfidfVectorizer(
            analyzer="char", ngram_range=(1, 4), lowercase=False, sublinear_tf=True, max_features=MOST_N_GRAMS
        )
        return make_pipeline(n_grams), "n-gram"
    if isinstance(kind, TokenInput | WordInput):
        cut = kind.tokenizer.words if isinstance(kind, WordInput) else list
        pairs = TfidfVectorizer(
            analyzer=lambda example: _tokens_and_pairs(cut(example)), sublinear_tf=True, max_features=MOST_N_GRAMS
        )
        return make_pipeline(pairs), "n-gram"
    return make_pipeline(FunctionTransformer(lambda X: summaries(kind, X)), StandardScaler()), "summary"


def summaries(kind: Input, X: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return each example's figures, [N, 6 I + 1]."""
    return np.stack([_summary(sequence) for sequence in kind.each(X)])


def _summary(sequence: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    values = sequence.astype(np.float64) if len(sequence) else np.zeros((1, sequence.shape[1]))
    figures = [values.mean(0), values.std(0), values.min(0), values.max(0), values[0], values[-1]]
    return np.concatenate([*figures, [float(len(sequence))]])


def _tokens_and_pairs(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return [*((token,) for token in tokens), *itertools.pairwise(tokens)]


def first_ones(X: Sequence[Any], y: npt.NDArray[Any]) -> tuple[list[Any], npt.NDArray[Any], str]:
    """Return examples that fit into memory: all, or evenly spread ones, with the words that say so."""
    every = -(-len(X) // MOST_EXAMPLES)
    if every == 1:
        return list(X), y, ""
    chosen = list(itertools.islice(X, 0, None, every))
    return chosen, y[::every], f" ({len(chosen):,} examples)"


@contextmanager
def quietly() -> Iterator[None]:
    """Silence scikit-learn's warning that a fit took all its iterations: a baseline may be a little off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
