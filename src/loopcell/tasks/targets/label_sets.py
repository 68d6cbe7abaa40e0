"""Several labels an example, or none: each label is a question of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import where
from loopcell.errors import DataError
from loopcell.tasks.targets.labels import Labels


class LabelSets:
    """Sets of labels as rows of zeros and ones [N, K], and back.

    Args:
        labels: the K labels.
        as_matrix: whether sets came, and are given back, as rows of zeros and ones.
    """

    def __init__(self, labels: Labels, as_matrix: bool) -> None:
        self.labels, self.as_matrix = labels, as_matrix

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of a training set.

        Args:
            y: collections of labels, or an array [N, K] of zeros and ones, whose labels are then 0 .. K - 1.

        Raises:
            DataError: as `Labels.learn`, or the array has other numbers.
        """
        if is_matrix(y):
            _demand_indicators(y)
            return cls(Labels(range(np.shape(y)[1])), as_matrix=True)
        flat = [label for index in range(len(y)) for label in _members(y, index)]
        return cls(Labels.learn(flat), as_matrix=False)

    def numbers(self, y: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Rows of zeros and ones, float32 [N, K]; DataError for a label that training did not have."""
        if is_matrix(y):
            _demand_indicators(y)
            if np.shape(y)[1] != len(self.labels):
                raise DataError(f"y has {np.shape(y)[1]} columns, and training had {len(self.labels)} labels")
            return np.asarray(y, dtype=np.float32)
        rows = np.zeros((len(y), len(self.labels)), dtype=np.float32)
        for index in range(len(y)):
            members = list(_members(y, index))
            try:
                rows[index, self.labels.numbers(members)] = 1.0
            except DataError as error:
                raise DataError(f"{where(y, index)}: {str(error).partition(': ')[2]}") from error
        return rows

    def decoded(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64] | list[tuple[Any, ...]]:
        """Give [N, K] truth values in the form that training had: rows of zeros and ones, or tuples of labels."""
        if self.as_matrix:
            return present.astype(np.int64)
        return [tuple(self.labels.decoded(np.flatnonzero(row)).tolist()) for row in present]

    def to_json(self) -> dict[str, Any]:
        """The labels, and the form of the sets."""
        return {"labels": self.labels.to_json(), "as_matrix": self.as_matrix}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        return cls(Labels.from_json(stored["labels"]), bool(stored["as_matrix"]))


def are_sets(y: Sequence[Any]) -> bool:
    """Whether targets are several labels an example: a matrix, or lists, tuples and sets."""
    return is_matrix(y) or (len(y) > 0 and _is_collection(y[0]))


def is_matrix(y: Sequence[Any]) -> bool:
    """Whether targets are an array [N, K]."""
    return isinstance(y, np.ndarray) and y.ndim == 2


def _is_collection(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def _members(y: Sequence[Any], index: int) -> Collection[Any]:
    if not _is_collection(y[index]):
        raise DataError(f"{where(y, index)}: {y[index]!r} is not a list of labels, as the first example has")
    members: Collection[Any] = y[index]
    return members


def _demand_indicators(y: Sequence[Any]) -> None:
    if not np.isin(np.asarray(y), (0, 1)).all():
        raise DataError("y is an array of two axes, [examples, labels], and has other numbers than 0 and 1")
