"""The targets of a classifier: one label per example, or a set of them. The two differ here and nowhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from loopcell.data.readers import where
from loopcell.errors import DataError, quoted
from loopcell.tasks.core.estimator.weights import weigh
from loopcell.tasks.sequences.metrics.classification import class_metrics, set_metrics
from loopcell.tasks.sequences.targets.labels import Labels, Named, demand_all, distinct

Array = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float64]


class Classes(ABC):
    """Targets of examples as numbers, their loss, and predictions in the user's form.

    Attributes:
        labels: the K labels.
    """

    kind: ClassVar[str]
    labels: Labels

    @classmethod
    @abstractmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of the training part; DataError where they cannot be told apart."""

    @abstractmethod
    def numbers(self, y: Sequence[Any], *, strict: bool = True) -> Array:
        """Return targets as the loss takes them.

        Raises:
            DataError: an example without a label; with `strict` also one with a label that training did not have.
        """

    @abstractmethod
    def counts(self, numbers: Array) -> npt.NDArray[np.int64]:
        """Count the examples that have each label, [K]."""

    @abstractmethod
    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, examples: Tensor | None = None) -> Tensor:
        """Return the negative log-probability in nats, summed over the examples' answers, of scores [B, K].

        Args:
            scores: [B, K].
            numbers: what is true, as `numbers` gives it.
            weight: how much each label counts, [K].
            examples: how much each example counts, [B]; None for all alike.
        """

    @abstractmethod
    def losses(self, scores: Tensor, numbers: Tensor) -> Tensor:
        """Return the same of each example by itself, [B], every label alike."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the labels' probabilities [N, K] of scores [N, K]."""

    @abstractmethod
    def scores(self, probabilities: Tensor) -> Tensor:
        """Return scores that have these probabilities, which lie between 0 and 1."""

    @abstractmethod
    def prior(self, counts: Array, examples: int) -> Probabilities:
        """Return probabilities [K] by nothing but how often training had each label, among so many examples."""

    @abstractmethod
    def decided(self, probabilities: Probabilities) -> Any:
        """Return predictions in the form in which training had its labels."""

    @abstractmethod
    def right(self, numbers: Array, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Return whether the whole prediction for each example is right, bool [N]."""

    @abstractmethod
    def plain(self, probabilities: Probabilities) -> list[Any]:
        """Return predictions as JSON values: labels, or lists of labels."""

    @abstractmethod
    def metrics(self, numbers: Array, probabilities: Probabilities) -> dict[str, float]:
        """Measure probabilities [N, K] against what is true."""

    @abstractmethod
    def strata(self, y: Sequence[Any]) -> Sequence[Hashable]:
        """Return the groups of which a split has the same share in both parts."""

    def to_json(self) -> dict[str, Any]:
        """Return the labels as plain JSON values with the kind."""
        return {"kind": self.kind, "labels": self.labels.to_json()}

    @classmethod
    @abstractmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; any exception for anything else."""


class OneLabel(Classes):
    """Each example has one label: softmax and cross-entropy."""

    kind: ClassVar[str] = "one label"

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of the training part."""
        return cls(Labels.learn(y))

    def numbers(self, y: Sequence[Any], *, strict: bool = True) -> npt.NDArray[np.int64]:
        """Return the number of each label, int64 [N]; without `strict`, -1 for a label that training did not have."""
        demand_all(y, "a label")
        return self.labels.numbers(y, strict=strict)

    def counts(self, numbers: Array) -> npt.NDArray[np.int64]:
        """Count the examples that have each label, [K]."""
        return np.bincount(numbers, minlength=len(self.labels)).astype(np.int64)

    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, examples: Tensor | None = None) -> Tensor:
        """Return the cross-entropy."""
        if examples is None:
            return functional.cross_entropy(scores, numbers, weight, reduction="sum")
        return weigh(functional.cross_entropy(scores, numbers, weight, reduction="none"), examples)

    def losses(self, scores: Tensor, numbers: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return functional.cross_entropy(scores, numbers, reduction="none")

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the softmax."""
        return scores.softmax(-1)

    def scores(self, probabilities: Tensor) -> Tensor:
        """Return the logarithms."""
        return probabilities.log()

    def prior(self, counts: Array, examples: int) -> Probabilities:
        """Return the shares of the labels, one added to each count."""
        shares: Probabilities = (counts + 1) / (counts.sum() + len(counts))
        return shares

    def decided(self, probabilities: Probabilities) -> Array:
        """Return the most probable label of each example."""
        return self.labels.decoded(probabilities.argmax(-1))

    def plain(self, probabilities: Probabilities) -> list[Any]:
        """Return the most probable label of each example."""
        labels: list[Any] = self.decided(probabilities).tolist()
        return labels

    def right(self, numbers: Array, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Return whether each example's most probable label is its own, bool [N]."""
        return np.asarray(probabilities.argmax(-1) == numbers)

    def metrics(self, numbers: Array, probabilities: Probabilities) -> dict[str, float]:
        """Measure accuracy, macro-F1, log loss."""
        return class_metrics(numbers, probabilities.argmax(-1), probabilities)

    def strata(self, y: Sequence[Any]) -> Sequence[Hashable]:
        """Return the labels."""
        return [None if label is None else str(label) for label in y]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(Labels.from_json(stored["labels"]))


class LabelSets(Classes):
    """Each example has any number of labels: each label is a yes or no of its own.

    Args:
        labels: the K labels.
        as_matrix: whether sets came, and are given back, as rows of zeros and ones.
    """

    kind: ClassVar[str] = "label sets"

    def __init__(self, labels: Labels, as_matrix: bool) -> None:
        self.labels, self.as_matrix = labels, as_matrix

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of collections of labels; those of a matrix [N, K] of zeros and ones are 0 .. K - 1."""
        matrix = as_matrix(y)
        if matrix is not None:
            return cls(Labels(range(matrix.shape[1])), as_matrix=True)
        return cls(Labels.learn(distinct(y, _members)), as_matrix=False)

    def numbers(self, y: Sequence[Any], *, strict: bool = True) -> npt.NDArray[np.float32]:
        """Return rows of zeros and ones, float32 [N, K]; without `strict` labels that training did not have are 0."""
        matrix = as_matrix(y)
        if matrix is not None:
            if matrix.shape[1] != len(self.labels):
                raise DataError(f"y has {matrix.shape[1]} columns, and training had {len(self.labels)} labels")
            return matrix
        rows = np.zeros((len(y), len(self.labels)), dtype=np.float32)
        for index in range(len(y)):
            members = list(_members(y, index))
            known = self.labels.numbers(Named(members, [where(y, index)] * len(members)), strict=strict)
            rows[index, known[known >= 0]] = 1.0
        return rows

    def counts(self, numbers: Array) -> npt.NDArray[np.int64]:
        """Count the examples that have each label, [K]."""
        counts: npt.NDArray[np.int64] = numbers.sum(0).astype(np.int64)
        return counts

    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, examples: Tensor | None = None) -> Tensor:
        """Return the binary cross-entropy of every label; its weight counts where the label is present."""
        targets, entropy = numbers.to(scores.dtype), functional.binary_cross_entropy_with_logits
        if examples is None:
            return entropy(scores, targets, pos_weight=weight, reduction="sum")
        return weigh(entropy(scores, targets, pos_weight=weight, reduction="none"), examples)

    def losses(self, scores: Tensor, numbers: Tensor) -> Tensor:
        """Return the binary cross-entropy of all labels of an example together."""
        return functional.binary_cross_entropy_with_logits(scores, numbers.to(scores.dtype), reduction="none").sum(-1)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return a sigmoid for each label."""
        return torch.sigmoid(scores)

    def scores(self, probabilities: Tensor) -> Tensor:
        """Return the log odds."""
        return torch.logit(probabilities)

    def prior(self, counts: Array, examples: int) -> Probabilities:
        """Return the share of examples that have each label."""
        shares: Probabilities = (counts + 1) / (examples + 2)
        return shares

    def decided(self, probabilities: Probabilities) -> npt.NDArray[np.int64] | list[tuple[Any, ...]]:
        """Return the labels that are more probable than not: rows of zeros and ones, or tuples."""
        if self.as_matrix:
            present: npt.NDArray[np.int64] = (probabilities > 0.5).astype(np.int64)
            return present
        return [tuple(labels) for labels in self.plain(probabilities)]

    def plain(self, probabilities: Probabilities) -> list[Any]:
        """Return the labels that are more probable than not."""
        return [self.labels.decoded(np.flatnonzero(row > 0.5)).tolist() for row in probabilities]

    def right(self, numbers: Array, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Return whether all labels of each example are right, bool [N]."""
        return np.asarray(((probabilities > 0.5) == numbers).all(-1))

    def metrics(self, numbers: Array, probabilities: Probabilities) -> dict[str, float]:
        """Measure the share of examples with every label right, micro-F1, macro-F1, log loss."""
        return set_metrics(numbers, probabilities > 0.5, probabilities)

    def strata(self, y: Sequence[Any]) -> Sequence[Hashable]:
        """Return nothing: combinations of labels are too many."""
        return [0] * len(y)

    def to_json(self) -> dict[str, Any]:
        """Return the labels and the form."""
        return {**super().to_json(), "as_matrix": self.as_matrix}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(Labels.from_json(stored["labels"]), bool(stored["as_matrix"]))


KINDS: dict[str, type[Classes]] = {kind.kind: kind for kind in (OneLabel, LabelSets)}


def learn_classes(y: Sequence[Any]) -> Classes:
    """Learn the labels of the training part: sets where the first example has a list of labels or y is a matrix."""
    sets = as_matrix(y) is not None or _is_collection(y[0])
    return LabelSets.learn(y) if sets else OneLabel.learn(y)


def classes_from_json(stored: Mapping[str, Any]) -> Classes:
    """Read what `Classes.to_json` gave; any exception for anything else."""
    return KINDS[stored["kind"]].from_json(stored)


def as_matrix(y: Sequence[Any]) -> npt.NDArray[np.float32] | None:
    """Return targets that come as rows of zeros and ones, float32 [N, K]; None where they do not.

    Raises:
        DataError: rows of other numbers.
    """
    if not all(isinstance(row, np.ndarray) and row.ndim == 1 for row in y):
        return None
    rows = list(y)
    if len({row.shape for row in rows}) > 1:
        return None
    matrix = np.stack(rows)
    if matrix.shape[1] == 1:
        raise DataError("y has the shape [N, 1]: give one label per example, y[:, 0]")
    if not np.isin(matrix, (0, 1)).all():
        raise DataError(
            "y has two axes, [examples, labels], and other numbers than 0 and 1; numbers that are to be predicted are "
            "for SequenceRegressor"
        )
    return matrix.astype(np.float32)


def _is_collection(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def _members(y: Sequence[Any], index: int) -> Collection[Any]:
    if not _is_collection(y[index]):
        raise DataError(f"{where(y, index)}: {quoted(y[index])} is not a list of labels, as the first example has")
    members: Collection[Any] = y[index]
    if any(member is None for member in members):
        raise DataError(f"{where(y, index)}: a label of {quoted(y[index])} is missing; leave it out of the list")
    return members
