"""Logistic regression on features that see no order, for one label or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from loopcell.tasks.core.inputs import Input
from loopcell.tasks.sequences.baselines.sequences import features_of, first_ones, quietly

REGULARISATION = 10.0  # scikit-learn's C; of 1, 10 and 100 the best one for short texts


def logistic_probabilities(
    kind: Input, training: tuple[Sequence[Any], npt.NDArray[Any]], X: Sequence[Any], labels: int
) -> tuple[str, npt.NDArray[np.float64]]:
    """Return the probabilities that a logistic regression of some examples gives others.

    Args:
        kind: how X becomes sequences.
        training: examples, and their targets: numbers [N] of labels, or zeros and ones [N, K].
        X: examples.
        labels: K.

    Returns:
        The baseline's name, and probabilities [N, K].
    """
    features, name = features_of(kind)
    known, targets, few = first_ones(*training)
    model = LogisticRegression(C=REGULARISATION, max_iter=300)
    several = targets.ndim == 2
    pipeline = make_pipeline(features, OneVsRestClassifier(model) if several else model)
    with quietly():
        pipeline.fit(known, targets)
    given = pipeline.predict_proba(list(X))
    if several:
        return f"{name} logistic{few}", given
    probabilities = np.zeros((len(X), labels))
    probabilities[:, pipeline.classes_] = given
    return f"{name} logistic{few}", probabilities
