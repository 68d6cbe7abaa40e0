"""A label for every step of a sequence; None where nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged, where
from loopcell.errors import DataError
from loopcell.tasks.targets.labels import Labels, Named, distinct


def sequence_labels(y: Sequence[Any]) -> Labels:
    """The labels of a training set; errors as `Labels.learn`, and for an example that is no sequence of labels."""
    return Labels.learn(distinct(y, _steps))


def label_sequences(y: Sequence[Any], labels: Labels, lengths: npt.NDArray[np.int64]) -> Ragged:
    """The numbers of all labels, a sequence for each example.

    Args:
        y: sequences of labels; a string is one label a character.
        labels: those of the training data.
        lengths: how many steps each example has, [N].

    Raises:
        DataError: an example has more or fewer labels than steps, or a label that training did not have.
    """
    rows = []
    for index, steps in enumerate(lengths.tolist()):
        given = list(_steps(y, index))
        if len(given) != steps:
            raise DataError(f"{where(y, index)} has {len(given)} labels, and the sequence has {steps} steps")
        rows.append(labels.numbers(Named(given, [where(y, index)] * len(given))))
    return Ragged.of(rows)


def _steps(y: Sequence[Any], index: int) -> Collection[Any]:
    labels = y[index]
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        plain: list[Any] = labels.tolist()
        return plain
    if not isinstance(labels, Collection) or isinstance(labels, dict | set):
        raise DataError(f"{where(y, index)}: a sequence of labels was expected, one a step, not {labels!r}")
    return labels
