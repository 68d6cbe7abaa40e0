"""The targets of a tagger: one label a step, or a set of them. The two differ here and nowhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from loopcell.data import Ragged
from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.core.estimator.weights import weigh
from loopcell.tasks.sequences.targets.label_sequences import label_sequences, sequence_labels
from loopcell.tasks.sequences.targets.labels import Labels
from loopcell.tasks.sequences.targets.step_sets import as_indicators, indicator_names, is_indicators, set_sequences

Array = npt.NDArray[Any]


class StepLabels(ABC):
    """Targets of steps as numbers, their loss, and predictions in the user's form. What is not known is `IGNORED`.

    Attributes:
        several: whether a step may have several labels.
        labels: the K labels.
    """

    several: ClassVar[bool]
    labels: Labels

    @abstractmethod
    def numbers(self, y: Sequence[Any], lengths: npt.NDArray[np.int64], *, strict: bool = True) -> Ragged:
        """Return targets as the loss takes them, [T] or [T, K] of each example; errors as `label_sequences`."""

    @abstractmethod
    def counts(self, numbers: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return how many steps have each label, and of how many that is known, [K] both."""

    @abstractmethod
    def steps_known(self, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether a step has anything that is known, [S] of targets [S] or [S, K]."""

    @abstractmethod
    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, rows: Tensor | None) -> Tensor:
        """Return the negative log-probability of what is known, summed.

        Args:
            scores: [T, B, K].
            numbers: [T, B] or [T, B, K].
            weight: how much each label counts, [K].
            rows: how much each row counts, [B]; None for all alike.
        """

    @abstractmethod
    def losses(self, scores: Tensor, numbers: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the same of steps by themselves, [S], 0 of what is not known: scores [S, K], numbers [S] or [S, K]."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the labels' probabilities [..., K] of scores [..., K]."""

    @abstractmethod
    def best(self, scores: Tensor) -> Tensor:
        """Return what is most probable: numbers [...], or zeros and ones [..., K]."""

    @abstractmethod
    def prior_scores(self, counts: Tensor, known: Tensor) -> Tensor:
        """Return scores [K] by nothing but how frequent each label is in training."""

    @abstractmethod
    def decoded(self, numbers: Array) -> Any:
        """Return what `best` gave of one sequence in the form in which training had its labels."""

    @abstractmethod
    def plain(self, numbers: Array) -> list[Any]:
        """Return the same as JSON values: a label, or a list of labels, for each step."""

    @abstractmethod
    def right(self, given: Array, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether all that is known of a step is right, [S]."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the labels and the form, for a model file."""


class OneLabelAStep(StepLabels):
    """Each step has one label: softmax and cross-entropy."""

    several: ClassVar[bool] = False

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of the training part."""
        return cls(sequence_labels(y))

    def numbers(self, y: Sequence[Any], lengths: npt.NDArray[np.int64], *, strict: bool = True) -> Ragged:
        """Return numbers of labels, int64 [T] each."""
        return label_sequences(y, self.labels, lengths, strict=strict)

    def counts(self, numbers: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Count the steps that have each label, [K]; all with a label are known."""
        counts = np.bincount(numbers[numbers >= 0], minlength=len(self.labels)).astype(np.int64)
        return counts, np.full(len(counts), counts.sum())

    def steps_known(self, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether a step has a label."""
        return np.asarray(numbers != IGNORED)

    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, rows: Tensor | None) -> Tensor:
        """Return the cross-entropy."""
        flat, loss = numbers.flatten(), functional.cross_entropy
        if rows is None:
            return loss(scores.flatten(0, 1), flat, weight, ignore_index=IGNORED, reduction="sum")
        losses = loss(scores.flatten(0, 1), flat, weight, ignore_index=IGNORED, reduction="none")
        return weigh(losses.reshape(numbers.shape).T, rows)

    def losses(self, scores: Tensor, numbers: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the cross-entropy."""
        return functional.cross_entropy(scores, numbers, weight, ignore_index=IGNORED, reduction="none")

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the softmax."""
        return scores.softmax(-1)

    def best(self, scores: Tensor) -> Tensor:
        """Return the numbers of the most probable labels."""
        return scores.argmax(-1)

    def prior_scores(self, counts: Tensor, known: Tensor) -> Tensor:
        """Return the logarithms of the counts and one."""
        return (counts.double() + 1).log()

    def decoded(self, numbers: Array) -> Array:
        """Return labels [T]."""
        return self.labels.decoded(numbers)

    def plain(self, numbers: Array) -> list[Any]:
        """Return the labels."""
        labels: list[Any] = self.decoded(numbers).tolist()
        return labels

    def right(self, given: Array, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether the label of a step is its own."""
        return np.asarray(given == numbers)

    def to_json(self) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": self.labels.to_json()}


class LabelSetsAStep(StepLabels):
    """Each step has any number of labels: each label is a yes or no of its own.

    Args:
        labels: the K labels.
        as_matrix: whether they came, and are given back, as arrays [T, K] of zeros and ones.
    """

    several: ClassVar[bool] = True

    def __init__(self, labels: Labels, *, as_matrix: bool) -> None:
        self.labels, self.as_matrix = labels, as_matrix

    @classmethod
    def learn(cls, y: Sequence[Any]) -> Self:
        """Collect the labels of sets; those of arrays [T, K] are 0 .. K - 1, or of frames the names of columns."""
        if is_indicators(y):
            return cls(Labels(indicator_names(y)), as_matrix=True)
        return cls(Labels.learn(set_sequences(y)), as_matrix=False)

    def numbers(self, y: Sequence[Any], lengths: npt.NDArray[np.int64], *, strict: bool = True) -> Ragged:
        """Return zeros and ones, float32 [T, K] each, `IGNORED` where it is not known."""
        return Ragged.of(as_indicators(y, self.labels, lengths, strict=strict))

    def counts(self, numbers: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Count the steps that have each label, and those of which that is known, [K]."""
        return (numbers == 1).sum(0).astype(np.int64), (numbers != IGNORED).sum(0).astype(np.int64)

    def steps_known(self, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether any label of a step is known."""
        return np.asarray((numbers != IGNORED).any(-1))

    def loss(self, scores: Tensor, numbers: Tensor, weight: Tensor, rows: Tensor | None) -> Tensor:
        """Return the binary cross-entropy of every label; its weight counts where the label is present."""
        losses = self._entropy(scores, numbers, weight)
        return weigh(losses.transpose(0, 1), rows)

    def losses(self, scores: Tensor, numbers: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the binary cross-entropy of all labels of a step together."""
        return self._entropy(scores, numbers, weight).sum(-1)

    def _entropy(self, scores: Tensor, numbers: Tensor, weight: Tensor | None) -> Tensor:
        known = numbers != IGNORED
        targets = numbers.to(scores.dtype).masked_fill(~known, 0.0)
        losses = functional.binary_cross_entropy_with_logits(scores, targets, pos_weight=weight, reduction="none")
        return losses.masked_fill(~known, 0.0)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return a sigmoid for each label."""
        return torch.sigmoid(scores)

    def best(self, scores: Tensor) -> Tensor:
        """Return a one for each label that is more probable than not."""
        return (scores > 0).long()

    def prior_scores(self, counts: Tensor, known: Tensor) -> Tensor:
        """Return the log odds of the share of steps that have each label."""
        return torch.logit((counts.double() + 1) / (known.double() + 2))

    def decoded(self, numbers: Array) -> Any:
        """Return zeros and ones [T, K], or a tuple of labels for each step."""
        return numbers.astype(np.int64) if self.as_matrix else [tuple(labels) for labels in self.plain(numbers)]

    def plain(self, numbers: Array) -> list[Any]:
        """Return a list of labels for each step."""
        return [self.labels.decoded(np.flatnonzero(row)).tolist() for row in numbers]

    def right(self, given: Array, numbers: Array) -> npt.NDArray[np.bool_]:
        """Return whether all labels of a step that are known are right."""
        return np.asarray(((given == numbers) | (numbers == IGNORED)).all(-1))

    def to_json(self) -> dict[str, Any]:
        """Return the labels and the form."""
        return {"labels": self.labels.to_json(), "sets": {"as_matrix": self.as_matrix}}


def learn_step_labels(y: Sequence[Any]) -> StepLabels:
    """Learn the labels of the training part: sets where a step has a list of labels, or an example is [T, K]."""
    sets = is_indicators(y) or any(_step_of_sets(y[index]) for index in range(len(y)))
    return LabelSetsAStep.learn(y) if sets else OneLabelAStep.learn(y)


def step_labels_from_json(stored: Mapping[str, Any]) -> StepLabels:
    """Read what `StepLabels.to_json` gave; any exception for anything else."""
    labels = Labels.from_json(stored["labels"])
    if "sets" not in stored:
        return OneLabelAStep(labels)
    return LabelSetsAStep(labels, as_matrix=bool(stored["sets"]["as_matrix"]))


def _step_of_sets(example: Any) -> bool:
    """Say whether the first step of an example that is known has several labels."""
    if isinstance(example, str | bytes | dict) or not isinstance(example, Collection):
        return False
    first = next((step for step in example if step is not None), None)
    return isinstance(first, Collection) and not isinstance(first, str | bytes)
