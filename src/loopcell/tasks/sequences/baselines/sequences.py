"""A whole sequence as one vector without its order, for scikit-learn's linear models."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import hstack, issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from loopcell.tasks.core.estimator import Part, as_part
from loopcell.tasks.core.inputs import Input, TextInput, TokenInput, WordInput
from loopcell.tasks.core.inputs.static import StaticInput

MOST_N_GRAMS = 200_000
MOST_EXAMPLES = 200_000
AT_ONCE = 1000  # examples whose vectors are in memory


class Unordered:
    """A linear model on vectors of sequences that know no order, and on what holds for a sequence as a whole.

    Args:
        kind: how X becomes sequences.
        static: how static values become numbers; None where there are none.
        model: scikit-learn's.

    Attributes:
        name: a few words for the vectors.
        few: says from how many examples it learned, where these are not all.
    """

    def __init__(self, kind: Input, static: StaticInput | None, model: Any) -> None:
        self._features, self.name = features_of(kind)
        self._static, self.model = static, model

    def fit(self, X: Sequence[Any], y: npt.NDArray[Any]) -> Self:
        """Learn from examples, or as many of them as fit into memory."""
        known, targets, self.few = first_ones(as_part(X, "X"), y)
        with quietly():
            self.model.fit(self._beside(self._features.fit_transform(known), known), targets)
        return self

    def said(self, X: Sequence[Any], predict: Callable[[Any], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return what a method of the model, such as `predict`, gives for others; vectors are of some at a time."""
        examples = as_part(X, "X")
        parts = (examples[start : start + AT_ONCE] for start in range(0, len(examples), AT_ONCE))
        return np.concatenate([predict(self._beside(self._features.transform(part), part)) for part in parts])

    def _beside(self, vectors: Any, X: Part) -> Any:
        if self._static is None:
            return vectors
        more = _one_hot(self._static, X)
        return hstack([vectors, more]).tocsr() if issparse(vectors) else np.hstack([vectors, more])


def _one_hot(static: StaticInput, X: Part) -> npt.NDArray[np.float64]:
    rows = static.rows(X)
    counts = [len(categories) for categories in static.categories.values()]
    ones = [np.eye(count + 1)[rows.categories[:, at]] for at, count in enumerate(counts)]
    return np.hstack([rows.numbers.astype(np.float64), *ones])


def features_of(kind: Input) -> tuple[Pipeline, str]:
    """Return the function from examples of a kind of input to vectors, and a few words for it.

    Characters and tokens are counted with their neighbours (n-grams, weighted by tf-idf); of numbers there are mean,
    deviation, least, largest, first and last value, and the length; of a column without a value the means of others.
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
    known = FunctionTransformer(np.nan_to_num)  # on this scale the mean is 0
    return make_pipeline(FunctionTransformer(lambda X: summaries(kind, X)), StandardScaler(), known), "summary"


def summaries(kind: Input, X: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return each example's figures, [N, 6 I + 1], of what is there; NaN of a column that has no value."""
    return np.stack([_summary(sequence) for sequence in kind.each(X)])


def _summary(sequence: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    values = sequence.astype(np.float64) if len(sequence) else np.zeros((1, sequence.shape[1]))
    figures = [values.mean(0), values.std(0), values.min(0), values.max(0), values[0], values[-1]]
    if np.isnan(values).any():
        figures = list(np.transpose([_figures(column[~np.isnan(column)]) for column in values.T]))
    return np.concatenate([*figures, [float(len(sequence))]])


def _figures(there: npt.NDArray[np.float64]) -> list[float]:
    """Return the same of the values of one column that are there."""
    return [there.mean(), there.std(), there.min(), there.max(), there[0], there[-1]] if len(there) else [np.nan] * 6


def _tokens_and_pairs(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return [*((token,) for token in tokens), *itertools.pairwise(tokens)]


def first_ones(X: Part, y: npt.NDArray[Any]) -> tuple[Part, npt.NDArray[Any], str]:
    """Return examples that fit into memory: all, or evenly spread ones, with the words that say so."""
    every = -(-len(X) // MOST_EXAMPLES)
    if every == 1:
        return X, y, ""
    chosen = X[::every]
    return chosen, y[::every], f" ({len(chosen):,} examples)"


@contextmanager
def quietly() -> Iterator[None]:
    """Silence scikit-learn's warning that a fit took all its iterations: a baseline may be a little off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
