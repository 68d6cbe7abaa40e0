"""Labels: strings, whole numbers or truth values, sorted and numbered; and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loopcell.data.readers import where
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError, quoted
from loopcell.tasks.core.estimator import IGNORED

UNSEEN = -1
"""The number of a label that training did not have: the model cannot give it."""

Numbers: TypeAlias = npt.NDArray[np.int64]
KINDS: dict[type, str] = {bool: "a truth value", int: "a whole number", float: "a number", str: "a text"}
MOST = 1_000_000
SHOWN = 5  # examples that an error names
MOST_STEPS = 20  # of a scale with fractions that is taken for classes, such as marks of half stars


class Labels:
    """The distinct labels of a training set, K of them.

    Attributes:
        values: array [K] of the labels, sorted.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        listed = list(values)
        self.values = np.array(listed, dtype=_dtype_of(listed))
        self._numbers = {label: number for number, label in enumerate(listed)}

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of a training set; None stands for one that is not known.

        Raises:
            DataError: labels of different kinds, a label that is none, fewer than two of them, or numbers with
                fractions, which are to be predicted rather than told apart.
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
            counted = ", and y has one class" if found else ""
            raise DataError(f"{only}: there is nothing to tell apart; it takes two labels at least{counted}")
        _demand_classes(found, y)
        return cls(sorted(found))

    def __len__(self) -> int:
        """Return K."""
        return len(self.values)

    def numbers(self, y: Sequence[Any], *, strict: bool = True) -> Numbers:
        """Return the number of each label, int64 [N]; `IGNORED` for None.

        Args:
            y: labels.
            strict: refuse a label that training did not have; else its number is `UNSEEN`.

        Raises:
            DataError: what is no label, or with `strict` one that training did not have; the sentence says where.
        """
        return np.array([self._number(given, y, index, strict) for index, given in enumerate(y)], dtype=np.int64)

    def decoded(self, numbers: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Return the labels of numbers."""
        found: npt.NDArray[Any] = self.values[numbers]
        return found

    def to_json(self) -> list[Any]:
        """Return the labels, sorted."""
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


def _dtype_of(labels: list[Any]) -> Any:
    """Return an array's dtype for labels: NumPy would turn large whole numbers into floats, and cut texts."""
    if not labels or isinstance(labels[0], str):
        return object
    if type(labels[0]) is int and not all(-(2**63) <= label < 2**63 for label in labels):
        return object
    return None


def _demand_classes(found: Mapping[Any, int], y: Sequence[Any]) -> None:
    """Refuse labels that are measurements: numbers with fractions, or texts of such, hardly any of them there twice."""
    label = next((one for one in found if _has_fraction(one)), None)
    if label is None:
        return
    written = isinstance(label, str)
    all_numbers = not written or all(_as_float(one) is not None for one in found)
    hardly_twice = len(found) > max(2, len(y) / 2) or (len(found) > MOST_STEPS and not written)
    if not all_numbers or not hardly_twice:
        return
    cure = "" if written else "; where they are the names of classes, give them as texts: [str(label) for label in y]"
    raise DataError(
        f"{where(y, found[label])}: the label {label!r} has a fraction, as a measurement has ({len(found):,} different "
        f"ones): y is continuous, and numbers that are to be predicted are for SequenceRegressor (loopcell train "
        f"regress){cure}"
    )


def _has_fraction(label: Any) -> bool:
    number = _as_float(label)
    return number is not None and not (math.isfinite(number) and number == int(number))


def _as_float(label: Any) -> float | None:
    """Return the number that a label is, or that a text names; None for Python's whole numbers and truth values."""
    if not isinstance(label, float | str):
        return None
    try:
        return float(label)
    except ValueError:
        return None


class Named(Sequence[Any]):
    """Values, and what an error calls each of them: labels within examples go by the names of the examples."""

    def __init__(self, values: list[Any], origins: list[str]) -> None:
        self.values, self.origins = values, origins

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]


def distinct(y: Sequence[Any], members: Callable[[Sequence[Any], int], Collection[Any]]) -> Named:
    """Return the distinct labels of each example, one example after the other.

    Args:
        y: examples.
        members: the labels of an example.
    """
    values: list[Any] = []
    origins: list[str] = []
    for index in range(len(y)):
        try:
            found = list(dict.fromkeys(members(y, index)))
        except TypeError as error:  # a list, a dictionary, ... cannot be one
            raise DataError(f"{where(y, index)}: {quoted(y[index])} has something that is not a label") from error
        values += found
        origins += [where(y, index)] * len(found)
    return Named(values, origins)


def is_missing(value: Any) -> bool:
    """Say whether a label, or a number to predict, is not there: None, NaN, or NA of pandas."""
    no_number = isinstance(value, float) and math.isnan(value)
    return value is None or no_number or type(value).__name__ in ("NAType", "NaTType")


def demand_all(y: Sequence[Any], what: str) -> None:
    """Refuse targets of which some are missing: an example of which nothing is known teaches nothing.

    Args:
        y: targets.
        what: each of them is, such as "a label".

    Raises:
        DataError: there are such; the sentence says which.
    """
    lacking = [index for index in range(len(y)) if _lacks(y[index])]
    if not lacking:
        return
    named = ", ".join(where(y, index) for index in lacking[:SHOWN]) + (", ..." if len(lacking) > SHOWN else "")
    have = "1 has" if len(lacking) == 1 else f"{len(lacking):,} have"
    raise DataError(
        f"{where(y, lacking[0])} is nothing: every example needs {what}; {have} none of {len(y):,}"
        f"{f' ({named})' if len(lacking) > 1 else ''}: leave these examples out"
    )


def _lacks(target: Any) -> bool:
    """Say whether a target, or one of several numbers of it, is missing."""
    if isinstance(target, np.ndarray) and target.dtype.kind == "f":
        return bool(np.isnan(target).any())
    return is_missing(target)


def plain_label(label: Any, y: Sequence[Any], index: int) -> Any:
    """Return a label as Python's own string, whole number, number or truth value; DataError for anything else."""
    if isinstance(label, np.generic | Tensor) and label.ndim == 0:
        label = label.item()
    if type(label) not in KINDS or (isinstance(label, float) and math.isnan(label)):
        kinds = "labels are strings, numbers or truth values"
        raise DataError(f"{where(y, index)}: {quoted(label)} is not a label; {kinds}")
    if isinstance(label, str):
        demand_text(label, f"{where(y, index)}: the label")
    return label


def balanced(counts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Return weights [K] by which every label that occurs counts as much as another: N / (K * count)."""
    weights: npt.NDArray[np.float64] = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


def label_weights(
    given: str | Mapping[Any, float] | None, labels: Labels, counts: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Return the weight of each label in the loss, [K].

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
            raise DataError(
                f"class_weight has the label {quoted(label)}, which is not among those of the training data"
            )
        weights[labels.to_json().index(label)] = weight
    return weights
