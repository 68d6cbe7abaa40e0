"""Logistic regression on features that see no order, for one label or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.inputs.static import StaticInput
from loopcell.tasks.sequences.baselines.sequences import Unordered

REGULARISATION = 10.0  # scikit-learn's C; of 1, 10 and 100 the best one for short texts


def logistic_probabilities(
    kind: Input,
    training: tuple[Sequence[Any], npt.NDArray[Any]],
    X: Sequence[Any],
    labels: int,
    static: StaticInput | None = None,
) -> tuple[str, npt.NDArray[np.float64]]:
    """Return the probabilities that a logistic regression of some examples gives others.

    Args:
        kind: how X becomes sequences.
        training: examples, and their targets: numbers [N] of labels, or zeros and ones [N, K].
        X: examples.
        labels: K.
        static: how static values become numbers; None where there are none.

    Returns:
        The baseline's name, and probabilities [N, K].
    """
    model = LogisticRegression(C=REGULARISATION, max_iter=300)
    several = training[1].ndim == 2
    fitted = Unordered(kind, static, OneVsRestClassifier(model) if several else model).fit(*training)
    given = fitted.said(X, fitted.model.predict_proba)
    probabilities = given if several else np.zeros((len(X), labels))
    if not several:
        probabilities[:, fitted.model.classes_] = given
    return f"{fitted.name} logistic{fitted.few}", probabilities
