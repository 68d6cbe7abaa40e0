"""Sets of labels for every step of a sequence: as arrays of zeros and ones, as frames, or as lists of labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import as_doubles, column_names, is_table
from loopcell.data.readers import where
from loopcell.errors import DataError, quoted
from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.sequences.targets.labels import Labels, Named, distinct

Floats32 = npt.NDArray[np.float32]


def is_indicators(y: Sequence[Any]) -> bool:
    """Say whether targets come as arrays [T, K], or frames with a column for each label."""
    return all(is_table(one) or getattr(one, "ndim", 0) == 2 for one in y)


def indicator_names(y: Sequence[Any]) -> list[Any]:
    """Return the names of the K labels: those of a frame's or of a long table's columns, or their numbers.

    Raises:
        DataError: there is one label only.
    """
    columns = list(getattr(y, "step_names", ()))
    names = column_names(y[0], where(y, 0)) if is_table(y[0]) else columns or list(range(y[0].shape[1]))
    if len(names) < 2:
        raise DataError(f"{where(y, 0)} has the shape [T, 1]: give one label a step, y[:, 0]")
    return names


def set_sequences(y: Sequence[Any]) -> Named:
    """Return the distinct labels of each example; errors as `as_indicators`."""
    return distinct(y, lambda examples, index: [label for one in _steps(examples, index) for label in one or ()])


def as_indicators(
    y: Sequence[Any], labels: Labels, lengths: npt.NDArray[np.int64], *, strict: bool
) -> Iterator[Floats32]:
    """Yield zeros and ones for each example, float32 [T, K]; `IGNORED` where it is not known.

    Args:
        y: arrays or frames [T, K] of zeros and ones, NaN where it is not known; or for each step a collection of
            labels, None where it is not known.
        labels: those of the training data.
        lengths: how many steps each example has, [N].
        strict: refuse a label that training did not have; else it is left out.

    Raises:
        DataError: an example has more or fewer steps, or a label that training did not have, or is none of these.
    """
    for index, steps in enumerate(lengths.tolist()):
        name = where(y, index)
        if is_table(y[index]) or getattr(y[index], "ndim", 0) == 2:
            rows = _of_matrix(y[index], len(labels), name)
        else:
            rows = _of_sets(y, index, labels, strict=strict)
        if len(rows) != steps:
            raise DataError(f"{name} has labels for {len(rows)} steps, and the sequence has {steps}")
        yield rows


def _of_matrix(given: Any, labels: int, name: str) -> Floats32:
    rows = as_doubles(given, name)
    if rows.shape[1] != labels:
        raise DataError(f"{name} has {rows.shape[1]} columns, and training had {labels} labels")
    unknown = np.isnan(rows)
    if not np.isin(rows[~unknown], (0, 1)).all():
        raise DataError(f"{name} has two axes, [steps, labels], and other numbers than 0 and 1")
    found: Floats32 = np.where(unknown, IGNORED, rows).astype(np.float32)
    return found


def _of_sets(y: Sequence[Any], index: int, labels: Labels, *, strict: bool) -> Floats32:
    steps = _steps(y, index)
    rows = np.zeros((len(steps), len(labels)), np.float32)
    for step, members in enumerate(steps):
        if members is None:
            rows[step] = IGNORED
            continue
        listed = list(members)
        known = labels.numbers(Named(listed, [f"{where(y, index)}, step {step + 1}"] * len(listed)), strict=strict)
        rows[step, known[known >= 0]] = 1.0
    return rows


def _steps(y: Sequence[Any], index: int) -> list[Collection[Any] | None]:
    """Return the sets of an example's steps."""
    given = y[index]
    if not isinstance(given, Collection) or isinstance(given, str | bytes | Mapping | set):
        raise DataError(f"{where(y, index)}: a list of labels for each step was expected, not {quoted(given)}")
    steps = list(given)
    for step, members in enumerate(steps):
        if members is None:
            continue
        if not isinstance(members, Collection) or isinstance(members, str | bytes | Mapping):
            raise DataError(
                f"{where(y, index)}: step {step + 1} has {quoted(members)}, and a list of labels was expected, as in "
                "other steps; [] for none, None where they are not known"
            )
        if any(member is None for member in members):
            raise DataError(f"{where(y, index)}: a label of step {step + 1} is missing; leave it out of the list")
    return steps
