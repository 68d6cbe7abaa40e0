"""SequenceTagger: many-to-many aligned, a label for every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from loopcell.data import Ragged
from loopcell.errors import DataError, UsageError
from loopcell.insight import Prediction
from loopcell.layers import State
from loopcell.tasks.core.estimator import (
    IGNORED,
    Loss,
    Naive,
    Pair,
    Part,
    SequenceBatch,
    SequenceEstimator,
    SequenceExamples,
    as_pair,
    as_part,
    device_of,
    in_order,
)
from loopcell.tasks.core.estimator.inspecting import best
from loopcell.tasks.core.estimator.weights import as_weights, weigh
from loopcell.tasks.core.frames import like
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import TaggerSettings
from loopcell.tasks.sequences.aligned import Aligned
from loopcell.tasks.sequences.baselines.steps import tags_without_history
from loopcell.tasks.sequences.crf import LinearChainCRF
from loopcell.tasks.sequences.ensembles import TaggerEnsemble
from loopcell.tasks.sequences.metrics.tagging import tag_confusion, tag_metrics
from loopcell.tasks.sequences.targets import Labels, label_sequences, label_steps, label_weights, sequence_labels
from loopcell.tasks.sequences.temperature import fitted_temperature

Array = npt.NDArray[Any]


class TaggerNetwork(Aligned):
    """Scores for K labels at every step, and a CRF over them if there is to be one.

    Args:
        reader: reads the sequences.
        labels: K.
        crf: whether labels know each other.

    Attributes:
        label_counts: int64 [K], how many training steps had each label.
        label_weight: [K], how much each label counts in the loss; a CRF has none.
        temperature: scalar, by which scores are divided before they become probabilities.
    """

    label_counts: Tensor
    label_weight: Tensor
    temperature: Tensor

    def __init__(self, reader: SequenceReader, labels: int, *, crf: bool) -> None:
        super().__init__(reader, labels)
        self.crf = LinearChainCRF(labels) if crf else None
        self.register_buffer("label_counts", torch.zeros(labels, dtype=torch.int64))
        self.register_buffer("label_weight", torch.ones(labels))
        self.register_buffer("temperature", torch.ones(()))

    def loss(self, batch: SequenceBatch) -> Loss:
        """Return the negative log-probability of the known labels: of each by itself, or with a CRF of all of a row."""
        scores, _ = self(batch.inputs, batch.lengths)
        known = int((batch.targets != IGNORED).sum())
        if self.crf is not None:
            return Loss(-weigh(self.crf.log_likelihood(scores, batch.targets, batch.lengths), batch.weights), known)
        return Loss(step_loss(scores, batch.targets, self.label_weight.to(scores.dtype), batch.weights), known)

    def best(self, batch: SequenceBatch) -> Tensor:
        """Return the most probable labels, int64 [T, B]."""
        scores, _ = self(batch.inputs, batch.lengths)
        best: Tensor = scores.argmax(-1) if self.crf is None else self.crf.best(scores, batch.lengths)
        return best

    def probabilities(self, batch: SequenceBatch) -> Tensor:
        """Return the probability of each label at each step, [T, B, K]; with a CRF given the whole row."""
        scores, _ = self(batch.inputs, batch.lengths)
        if self.crf is None:
            probabilities: Tensor = (scores / self.temperature).softmax(-1)
            return probabilities
        return self.crf.marginals(scores.double(), batch.lengths)


def step_loss(scores: Tensor, labels: Tensor, weight: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
    """Return the cross-entropy summed over the steps whose label is known.

    Args:
        scores: [T, B, K].
        labels: [T, B].
        weight: how much each label counts, [K].
        rows: how much each row counts, [B]; None for all alike.
    """
    flat, loss = labels.flatten(), functional.cross_entropy
    if rows is None:
        return loss(scores.flatten(0, 1), flat, weight, ignore_index=IGNORED, reduction="sum")
    losses = loss(scores.flatten(0, 1), flat, weight, ignore_index=IGNORED, reduction="none")
    return weigh(losses.reshape(labels.shape).T, rows)


class SequenceTagger(TaggerSettings, SequenceEstimator):
    """A label for each step of a sequence: a word's part of speech, speech or silence in a frame, a place of a splice.

    Its arguments are those of `NetworkSettings`, `TrainingSettings` and `TaggerSettings` in
    `loopcell.tasks.core.settings`, all of them keywords with defaults.

    y has one sequence of labels per example, as long as the example has steps; None is an unknown label.

    Attributes:
        classes_: array [K] of the labels, sorted.
        network_: the trained network.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "sequence-tagger"
    reads_single_numbers = True
    says_of_a_step = "here"
    network_: TaggerNetwork | TaggerEnsemble
    labels_: Labels

    @property
    def classes_(self) -> Array:
        """The labels [K], sorted."""
        self._fitted()
        return self.labels_.values

    def predict(self, X: Sequence[Any]) -> Any:
        """Give the labels of each sequence, an array [T] each.

        Of a series of pandas it is a series with the same index, of polars a series, else a list.
        """
        return like(X, self._predicted(X))

    def _predicted(self, X: Sequence[Any]) -> list[Array]:
        rows = self._rows(self._unlabelled(X), TaggerNetwork.best)
        return [self.labels_.decoded(numbers) for numbers in rows]

    def predict_proba(self, X: Sequence[Any]) -> list[Array]:
        """Give the probability of each label at each step, an array [T, K] each, in the order of `classes_`."""
        return self._rows(self._unlabelled(X), TaggerNetwork.probabilities)

    def predict_next(self, steps: Any, state: State | None = None) -> tuple[Array, State]:
        """Label the next steps of a stream, with what was read before.

        Args:
            steps: a piece of one sequence, of any length: a string, a list of tokens, an array [T, I].
            state: what the call before returned; None at the beginning.

        Returns:
            The labels [T], and the state to go on from. Pieces of any size give the labels that the whole gives.

        Raises:
            UsageError: the tagger reads both ways or has a CRF: its labels depend on what has not come yet. Or it is an
                ensemble, or reads n-grams, and a piece does not know the tokens before it.
        """
        self._fitted()
        if self.crf or self.bidirectional:
            how = "has a CRF" if self.crf else "reads both ways"
            raise UsageError(f"this tagger {how}: its labels depend on steps that have not come; fit one that does not")
        if self.ensemble > 1:
            raise UsageError(
                f"this tagger is an ensemble of {self.ensemble} networks, which have no common state: fit one with "
                "ensemble=1 for a stream"
            )
        if self.ngrams > 1:
            raise UsageError(f"this tagger reads {self.ngrams} tokens at once; a piece does not know those before it")
        batch = self._examples(as_part([steps], "steps")).batch(np.zeros(1, dtype=np.int64))
        with torch.no_grad():
            scores, after = self.network_(batch.inputs.to(device_of(self.network_)), None, state)
        return self.labels_.decoded(scores[:, 0].argmax(-1).cpu().numpy()), after

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the labels of each sequence as JSON values."""
        for labels in self._predicted(X):
            yield {"labels": labels.tolist()}

    def _said(self, sequence: Array) -> tuple[list[list[Prediction]], list[Prediction]]:
        (rows,) = self._rows(SequenceExamples(Ragged.of([sequence])), TaggerNetwork.probabilities)
        return [best(row, self.classes_) for row in rows], []

    def score(self, X: Sequence[Any], y: Sequence[Any], sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the share of steps with the right label, among those whose label is known.

        Args:
            X: sequences.
            y: their labels.
            sample_weight: how much each step of a sequence counts, [N]; None counts all alike.

        Raises:
            DataError: a weight is below 0 or not finite, there are more or fewer of them than sequences, or all are 0;
                or no label of a sequence that counts is known.
        """
        X, y = as_pair(X, y)
        weights = np.ones(len(X)) if sample_weight is None else as_weights(sample_weight, len(X))
        examples = self._unlabelled(X)
        lengths = examples.inputs.lengths
        true = label_sequences(y, self.labels_, lengths, strict=False).values
        given = np.concatenate(self._rows(examples, TaggerNetwork.best))
        steps = np.repeat(weights, lengths) * (true != IGNORED)
        if not steps.any():
            raise DataError("y has no label that is known: there is nothing to score")
        return float(np.average(given == true, weights=steps))

    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """Measure accuracy and macro-F1 per step and F1 of entities or segments, beside the most frequent label.

        The table has the confusion of the labels of all steps too.

        Args:
            X: sequences.
            y: their labels.
            training: (X, y) for a baseline that sees a step, and of tokens their neighbours, but no history: the most
                frequent label of the token between its neighbours, or logistic regression on a step's numbers.
        """
        X, y = as_pair(X, y)
        true = [list(label_steps(y, index)) for index in range(len(y))]
        given = {"model": self._predicted(X)}
        majority = self.labels_.decoded(self.network_.label_counts.argmax().reshape(1).cpu().numpy())
        given["majority label"] = [np.repeat(majority, len(labels)) for labels in true]
        if training:
            known = self._examples(*as_pair(*training))
            assert isinstance(known.targets, Ragged)
            name, numbers = tags_without_history((known.inputs, known.targets), self.input_.sequences(X))
            given[name] = [self.labels_.decoded(row) for row in numbers]
        rows = {name: tag_metrics(true, labels, self.classes_) for name, labels in given.items()}
        steps = sum(len(labels) for labels in true)
        counts = tag_confusion(true, given["model"], self.classes_)
        return ScoreTable(
            f"{len(X):,} sequences, {steps:,} steps", rows, counts, tuple(str(label) for label in self.classes_)
        )

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _learn(self, y: Part) -> None:
        if self.crf and self.class_weight is not None:
            raise UsageError("a CRF scores a whole sequence, so it has no class_weight; leave out one of the two")
        if self.crf and self.ensemble > 1:
            raise UsageError("a CRF's best labels of several networks have no mean; leave out crf or ensemble")
        self.labels_ = sequence_labels(y.whole())

    def _targets(self, y: Part, inputs: Ragged) -> Ragged:
        return label_sequences(y, self.labels_, inputs.lengths)

    def _network(self, settings: TaggerSettings) -> TaggerNetwork | TaggerEnsemble:
        if settings.ensemble == 1:
            return self._one_network(settings)
        return TaggerEnsemble(partial(self._one_network, settings), settings.ensemble)

    def _one_network(self, settings: TaggerSettings) -> TaggerNetwork:
        return TaggerNetwork(self._reader(settings), len(self.labels_), crf=settings.crf)

    def _prepare(self, training: SequenceExamples) -> None:
        assert isinstance(self.network_, TaggerNetwork)
        assert isinstance(training.targets, Ragged)
        numbers = training.targets.values
        counts = np.bincount(numbers[numbers >= 0], minlength=len(self.labels_)).astype(np.int64)
        self.network_.label_counts.copy_(torch.from_numpy(counts))
        weights = label_weights(self.class_weight, self.labels_, counts)
        self.network_.label_weight.copy_(torch.from_numpy(weights))
        self.network_.temperature.fill_(1.0)  # that of weights which training goes on from is not that of its end

    def _naive(self, held_out: SequenceExamples) -> Naive | None:
        assert isinstance(self.network_, TaggerNetwork)
        assert isinstance(held_out.targets, Ragged)
        true = torch.from_numpy(np.asarray(held_out.targets.values))
        true = true[true != IGNORED]
        if not len(true):
            return None
        counts = self.network_.label_counts.double().cpu() + 1
        weight = torch.ones(len(counts)) if self.crf else self.network_.label_weight.cpu()
        scores = counts.log().expand(len(true), -1)
        losses = functional.cross_entropy(scores, true, weight.double(), reduction="none")
        if held_out.weights is not None:
            losses = losses * torch.from_numpy(np.repeat(held_out.weights, held_out.predictions()))
        return Naive("saying how frequent each label is", float(losses.sum()) / len(true))

    def _finish(self, held_out: SequenceExamples) -> None:
        if self.crf or not self.calibrate:
            return
        rows = self._rows(held_out, lambda network, batch: network(batch.inputs, batch.lengths)[0])
        assert isinstance(held_out.targets, Ragged)
        known = np.asarray(held_out.targets.values) != IGNORED
        example = np.repeat(np.arange(len(rows)), [len(row) for row in rows])[known]
        scores = torch.from_numpy(np.concatenate(rows)[known])
        true = torch.from_numpy(held_out.targets.values[known])
        temperature = fitted_temperature(
            scores, lambda divided: functional.cross_entropy(divided, true, reduction="none"), example
        )
        self.network_.temperature.fill_(temperature)

    def _rows(self, examples: SequenceExamples, read: Any) -> list[Array]:
        """Return the network's result for each step, [T, ...] per example, in the order of the examples."""
        parts = self._read(examples, lambda batch: _cut(read(self.network_, batch), batch.lengths))
        return in_order(len(examples), parts)

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "labels": self.labels_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.labels_ = Labels.from_json(learned["labels"])


def _cut(values: Tensor, lengths: Tensor) -> list[Array]:
    """Return the rows of [T, B, ...], each as long as it is."""
    found = values.cpu().numpy()
    return [found[:length, row] for row, length in enumerate(lengths.tolist())]
