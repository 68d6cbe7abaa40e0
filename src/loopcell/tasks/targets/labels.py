"""Labels: strings, whole numbers or truth values, sorted and numbered; and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.data import where
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError

IGNORED = -100
"""The number of a label that is not known: nothing is learned from it. It is `ignore_index` of torch's losses."""
UNSEEN = -1
"""The number of a label that training did not have: the model cannot give it."""

Numbers: TypeAlias = npt.NDArray[np.int64]
KINDS: dict[type, str] = {bool: "a truth value", int: "a whole number", float: "a number", str: "a text"}
MOST = 1_000_000


class Labels:
    """The distinct labels of a training set, K of them.

    Attributes:
        values: array [K] of the labels, sorted.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        listed = list(values)
        kind = object if not listed or isinstance(listed[0], str) else None
        self.values = np.array(listed, dtype=kind)
        self._numbers = {label: number for number, label in enumerate(listed)}

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of a training set; None stands for one that is not known.

        Raises:
            DataError: labels of different kinds, a label that is none, or fewer than two of them.
        """
        found: dict[Any, int] = {}
        kinds: dict[type, int] = {}
        for index, given in enumerate(y):
            if given is not None:
                label = plain_label(given, y, index)
                found.setdefault(label, index)
                kinds.setdefault(type(label), index)
        if len(kinds) > 1:
            (one, first), (other, second) = list(kinds.items())[:2]
            raise DataError(
                f"labels are of one kind: {where(y, second)} is {KINDS[other]}, and {where(y, first)} is {KINDS[one]}"
            )
        if len(found) < 2:
            only = f"every label is {next(iter(found))!r}" if found else "there is no label"
            raise DataError(f"{only}: there is nothing to tell apart; it takes two labels at least")
        return cls(sorted(found))

    def __len__(self) -> int:
        """K."""
        return len(self.values)

    def numbers(self, y: Sequence[Any], *, strict: bool = True) -> Numbers:
        """The number of each label, int64 [N]; `IGNORED` for None.

        Args:
            y: labels.
            strict: refuse a label that training did not have; else its number is `UNSEEN`.

        Raises:
            DataError: what is no label, or with `strict` one that training did not have; the sentence says where.
        """
        return np.array([self._number(given, y, index, strict) for index, given in enumerate(y)], dtype=np.int64)

    def decoded(self, numbers: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """The labels of numbers."""
        found: npt.NDArray[Any] = self.values[numbers]
        return found

    def to_json(self) -> list[Any]:
        """The labels, sorted."""
        return list(self.values.tolist())

    @classmethod
    def from_json(cls, stored: object) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        if not isinstance(stored, list) or not 2 <= len(stored) <= MOST:
            raise ValueError("its labels are not a list of two or more")
        if len({type(label) for label in stored}) > 1 or type(stored[0]) not in KINDS:
            raise ValueError("its labels are not of one kind")
        if len(set(stored)) < len(stored):
            raise ValueError("a label is there twice")
        return cls(stored)

    def _number(self, given: Any, y: Sequence[Any], index: int, strict: bool) -> int:
        if given is None:
            return IGNORED
        label = plain_label(given, y, index)
        if label not in self._numbers and strict:
            raise DataError(f"{where(y, index)}: the label {label!r} is not among those of the training data")
        return self._numbers.get(label, UNSEEN)


class Named(Sequence[Any]):
    """Values, and what an error calls each of them: labels within examples go by the names of the examples."""

    def __init__(self, values: list[Any], origins: list[str]) -> None:
        self.values, self.origins = values, origins

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]


def distinct(y: Sequence[Any], members: Callable[[Sequence[Any], int], Collection[Any]]) -> Named:
    """The distinct labels of each example, one example after the other.

    Args:
        y: examples.
        members: the labels of an example.
    """
    values: list[Any] = []
    origins: list[str] = []
    for index in range(len(y)):
        found = list(dict.fromkeys(members(y, index)))
        values += found
        origins += [where(y, index)] * len(found)
    return Named(values, origins)


def plain_label(label: Any, y: Sequence[Any], index: int) -> Any:
    """A label as Python's own string, whole number, number or truth value; DataError for anything else."""
    if isinstance(label, np.generic):
        label = label.item()
    if type(label) not in KINDS or (isinstance(label, float) and math.isnan(label)):
        raise DataError(f"{where(y, index)}: {label!r} is not a label; labels are strings, numbers or truth values")
    if isinstance(label, str):
        demand_text(label, f"{where(y, index)}: the label")
    return label


def balanced(counts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Weights [K] by which every label that occurs counts as much as another: N / (K * count)."""
    weights: npt.NDArray[np.float64] = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


def label_weights(
    given: str | Mapping[Any, float] | None, labels: Labels, counts: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """The weight of each label in the loss, [K].

    Args:
        given: "balanced", a dictionary from labels to weights, or None for ones.
        labels: the labels.
        counts: how often training has each, [K].

    Raises:
        DataError: a weight for a label that training does not have.
    """
    if given == "balanced":
        return balanced(counts)
    weights = np.ones(len(labels))
    for label, weight in (given or {}).items() if isinstance(given, Mapping) else ():
        if label not in labels.to_json():
            raise DataError(f"class_weight has the label {label!r}, which is not among those of the training data")
        weights[labels.to_json().index(label)] = weight
    return weights
