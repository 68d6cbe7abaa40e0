"""A label for every step of a sequence; None where it is unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.data.readers import where
from loopcell.errors import DataError, quoted
from loopcell.tasks.sequences.targets.labels import Labels, Named, distinct, is_missing


def sequence_labels(y: Sequence[Any]) -> Labels:
    """Learn the labels of a training set; errors as `Labels.learn`, and for what is no sequence of labels."""
    return Labels.learn(distinct(y, label_steps))


def label_sequences(y: Sequence[Any], labels: Labels, lengths: npt.NDArray[np.int64], *, strict: bool = True) -> Ragged:
    """Return the numbers of all labels, a sequence for each example.

    Args:
        y: sequences of labels; a string is one label per character.
        labels: those of the training data.
        lengths: how many steps each example has, [N].
        strict: refuse a label that training did not have; else its number is `UNSEEN`.

    Raises:
        DataError: an example has more or fewer labels than steps, or a label that training did not have.
    """
    rows = []
    for index, steps in enumerate(lengths.tolist()):
        given = list(label_steps(y, index))
        if len(given) != steps:
            raise DataError(f"{where(y, index)} has {len(given)} labels, and the sequence has {steps} steps")
        rows.append(labels.numbers(Named(given, [where(y, index)] * len(given)), strict=strict))
    return Ragged.of(rows)


def label_steps(y: Sequence[Any], index: int) -> Collection[Any]:
    """Return the labels of an example, one per step, None where there is none; DataError where they are no labels."""
    labels = y[index]
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "Mm":
        labels = labels.tolist()
    if not isinstance(labels, Collection) or isinstance(labels, dict | set | bytes):
        raise DataError(f"{where(y, index)}: a sequence of labels was expected, one per step, not {quoted(labels)}")
    if isinstance(labels, str):
        return labels
    for step, label in enumerate(labels):
        if isinstance(label, Collection) and not isinstance(label, str | bytes):
            raise DataError(
                f"{where(y, index)}: step {step + 1} has several labels, {quoted(label)}, and others have one: give "
                "every step a list of labels, [] for none"
            )
    return [None if is_missing(label) else label for label in labels]
