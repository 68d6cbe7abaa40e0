"""Metrics of one label, or of several, an example; all of them scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

Numbers = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

LEAST = 1e-15  # a probability of 0 that comes true would make the mean infinite


def class_metrics(true: Numbers, given: Numbers, probabilities: Probabilities | None = None) -> dict[str, float]:
    """Measure accuracy, macro-F1, and the mean negative log-probability of what is true in nats ("log loss").

    Args:
        true: [N], numbers of labels; a negative one is a label that the model cannot know, and always missed.
        given: [N], the model's.
        probabilities: [N, K].
    """
    known = np.unique(np.concatenate([true, given]))
    found = {
        "accuracy": float(accuracy_score(true, given)),
        "macro-F1": float(f1_score(true, given, labels=known, average="macro", zero_division=0.0)),
    }
    if probabilities is not None:
        of_true = np.where(true >= 0, probabilities[np.arange(len(true)), np.maximum(true, 0)], 0.0)
        found["log loss"] = float(-np.log(np.maximum(of_true, LEAST)).mean())
    return found


def set_metrics(
    true: npt.NDArray[Any], given: npt.NDArray[Any], probabilities: Probabilities | None = None
) -> dict[str, float]:
    """Measure the share of examples with every label right, micro- and macro-F1 over labels, log loss per label.

    Args:
        true: zeros and ones [N, K].
        given: zeros and ones [N, K].
        probabilities: [N, K], of each label being present.
    """
    true, given = true.astype(int), given.astype(int)
    found = {
        "all right": float((true == given).all(1).mean()),
        "micro-F1": float(f1_score(true, given, average="micro", zero_division=0.0)),
        "macro-F1": float(f1_score(true, given, average="macro", zero_division=0.0)),
    }
    if probabilities is not None:
        of_true = np.where(true == 1, probabilities, 1 - probabilities)
        found["log loss"] = float(-np.log(np.maximum(of_true, LEAST)).mean())
    return found


def label_figures(
    true: npt.NDArray[np.bool_], given: npt.NDArray[np.bool_], labels: Sequence[Any] | npt.NDArray[Any]
) -> dict[str, dict[str, float]]:
    """Measure precision, recall and F1 of each label by itself, and count where it is there.

    Args:
        true: where labels are there, [N, K].
        given: where the model says so, [N, K].
        labels: K.
    """
    hits, said, there = (true & given).sum(0), given.sum(0), true.sum(0)
    precision, recall = hits / np.maximum(said, 1), hits / np.maximum(there, 1)
    figures = zip(precision, recall, 2 * hits / np.maximum(said + there, 1), there, strict=True)
    names = ("precision", "recall", "F1", "count")
    return {
        str(label): dict(zip(names, map(float, row), strict=True)) for label, row in zip(labels, figures, strict=True)
    }


def confusion(true: Numbers, given: Numbers, labels: int) -> npt.NDArray[np.int64]:
    """Count how often each true label (row) was given as each label (column), [K, K], of K `labels`."""
    counts: npt.NDArray[np.int64] = confusion_matrix(true, given, labels=range(labels))
    return counts
