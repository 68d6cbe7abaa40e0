"""SequenceClassifier: many-to-one, one label or several for a whole sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import ClassifierMixin
from torch import Tensor

from loopcell.data import Ragged, split_stratified
from loopcell.data.examples import with_beside
from loopcell.errors import UsageError
from loopcell.export.step_model import StepModel
from loopcell.insight import Prediction
from loopcell.tasks.core.argument_types import PoolingName
from loopcell.tasks.core.estimator import (
    Loss,
    Naive,
    Pair,
    Part,
    SequenceBatch,
    SequenceExamples,
    Split,
    stacked,
    what_to_try,
)
from loopcell.tasks.core.estimator.engine import BatchLoss
from loopcell.tasks.core.estimator.inspecting import best, prefix_predictions
from loopcell.tasks.core.estimator.weights import as_weights
from loopcell.tasks.core.frames import like
from loopcell.tasks.core.inputs.static import StaticReader
from loopcell.tasks.core.networks.many_to_one import ManyToOne
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.paired import noise_of
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import ClassifierSettings, checked
from loopcell.tasks.sequences.baselines.classes import logistic_probabilities
from loopcell.tasks.sequences.chance import chance_notes
from loopcell.tasks.sequences.ensembles import ClassifierEnsemble
from loopcell.tasks.sequences.linear import LinearOfSummaries, learn_labels, share_of_labels, shared_notes
from loopcell.tasks.sequences.metrics.classification import confusion, label_figures
from loopcell.tasks.sequences.own_loss import own_loss
from loopcell.tasks.sequences.pooled import PooledEstimator
from loopcell.tasks.sequences.pooled_stream import StreamedPooled
from loopcell.tasks.sequences.running import ClassAnswers, TaggedStep
from loopcell.tasks.sequences.step_models import Pooled, classifier_step
from loopcell.tasks.sequences.targets import (
    Classes,
    OneLabel,
    classes_from_json,
    demand_all,
    label_weights,
    learn_classes,
)
from loopcell.tasks.sequences.temperature import fitted_temperature

Probabilities = npt.NDArray[np.float64]


class ClassifierNetwork(ManyToOne):
    """Scores for K labels.

    Args:
        reader: reads the sequences.
        pooling: last, mean, max or attention.
        classes: the labels, and whether an example has one or several.
        static: reads what holds for a whole sequence; None where nothing does.
        linear: stands beside it, where examples are few.

    Attributes:
        class_counts: int64 [K], how many training examples had each label; examples: int64, how many there were.
        class_weight: [K], how much each label counts in the loss.
        temperature: scalar, by which scores are divided before they become probabilities.
    """

    class_counts: Tensor
    examples: Tensor
    class_weight: Tensor
    temperature: Tensor

    def __init__(
        self,
        reader: SequenceReader,
        pooling: PoolingName,
        classes: Classes,
        static: StaticReader | None,
        linear: LinearOfSummaries | None = None,
    ) -> None:
        super().__init__(reader, pooling, len(classes.labels), static, linear)
        self.classes = classes
        self.register_buffer("class_counts", torch.zeros(len(classes.labels), dtype=torch.int64))
        self.register_buffer("examples", torch.zeros((), dtype=torch.int64))
        self.register_buffer("class_weight", torch.ones(len(classes.labels)))
        self.register_buffer("temperature", torch.ones(()))

    def loss(self, batch: SequenceBatch) -> Loss:
        """Return the negative log-probability of what is true."""
        scores = self.read(batch.inputs, batch.lengths, batch.static)
        total = self.classes.loss(scores, batch.targets, self.class_weight.to(scores.dtype), batch.weights)
        return Loss(total, batch.targets.numel())


class SequenceClassifier(ClassifierSettings, ClassifierMixin, PooledEstimator, StreamedPooled[TaggedStep]):  # type: ignore[misc]
    """A label for each sequence: the language of a name, the mood of a review, who speaks.

    Its arguments are those of `NetworkSettings`, `TrainingSettings` and `ClassifierSettings` in
    `loopcell.tasks.core.settings`, all of them keywords with defaults.

    y has one label per example (a string, a number, a truth value), or several: a list, tuple or set of labels, or a
    row of an array [N, K] of zeros and ones. Predictions have the same form.

    Attributes:
        classes_: array [K] of the labels, sorted.
        pooling_: what the network pools by, where `pooling` is "auto".
        network_: the trained network.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "sequence-classifier"
    network_: ClassifierNetwork | ClassifierEnsemble
    targets_: Classes

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The labels [K], sorted."""
        self._fitted()
        return self.targets_.labels.values

    def predict(self, X: Sequence[Any], *, static: Any = None, times: Any = None) -> Any:
        """Give the label of each sequence, or its labels, in the form in which training had them.

        Of a series or frame of pandas it is a series with the same index, of polars a series.
        """
        self._fitted()
        X = with_beside(X, static, times)
        return like(X, self.targets_.decided(self._probabilities(X)), self.classes_)

    def predict_proba(self, X: Sequence[Any], *, static: Any = None, times: Any = None) -> Any:
        """Give the probability of each label, float64 [N, K], in the order of `classes_`.

        With one label per example a row sums to one; with several each label has a probability of its own. Of a series
        or frame of pandas or polars it is a frame, with a column for each label.
        """
        X = with_beside(X, static, times)
        return like(X, self._probabilities(X), self.classes_)

    def _probabilities(self, X: Sequence[Any]) -> Probabilities:
        self._fitted()
        return self._probabilities_of(self._unlabelled(X))

    def _probabilities_of(self, examples: SequenceExamples) -> Probabilities:
        scores = torch.from_numpy(self._scores(examples)) / self.network_.temperature.double().cpu()
        probabilities: Probabilities = self.targets_.probabilities(scores).numpy()
        return probabilities

    def score(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        static: Any = None,
        times: Any = None,
    ) -> float:
        """Return the share of sequences whose label is right; of several labels all have to be.

        Args:
            X: sequences.
            y: their labels.
            sample_weight: how much each sequence counts, [N]; None counts all alike.
            static: as in `fit`.
            times: as in `fit`.

        Raises:
            DataError: a weight is below 0 or not finite, there are more or fewer of them than sequences, or all are 0.
        """
        X, y = self._pair(with_beside(X, static, times), y)
        probabilities = self._probabilities(X)
        right = self.targets_.right(self.targets_.numbers(y, strict=False), probabilities)
        weights = None if sample_weight is None else as_weights(sample_weight, len(X))
        return float(np.average(right.astype(np.float64), weights=weights))

    def step_model(self) -> StepModel:
        """Return the classifier's step: the probabilities by all steps so far; see `StoredEstimator.step_model`."""
        reads, several = Pooled(self.input_, self.static_), not isinstance(self.targets_, OneLabel)
        return classifier_step(reads, self._fitted(), self.classes_, several=several)

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the label and its probability of each sequence, or its labels, and all probabilities, as JSON values."""
        probabilities, classes = self._probabilities(X), [str(label) for label in self.classes_]
        for label, row in zip(self.targets_.plain(probabilities), probabilities, strict=True):
            said = {"labels": label} if isinstance(label, list) else {"label": label, "probability": float(row.max())}
            yield said | {"probabilities": dict(zip(classes, row.tolist(), strict=True))}

    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """Measure accuracy, macro-F1 and log loss with the confusion of labels, beside the majority class.

        Args:
            X: sequences.
            y: their labels; one that training did not have counts as missed.
            training: (X, y) for logistic regression on n-grams, or on summaries of numbers; None leaves it out.

        Raises:
            DataError: training had none of the labels: another column, or labels of another kind.
        """
        X, y = self._pair(X, y)
        given, classes = self._probabilities(X), self.targets_
        true = self._true(y)
        prior = classes.prior(self.network_.class_counts.cpu().numpy(), int(self.network_.examples))
        said = {"model": given, "majority class": np.tile(prior, (len(X), 1))}
        if training:
            inputs, labels = self._pair(*training)
            known = inputs, classes.numbers(labels)
            name, probabilities = logistic_probabilities(self.input_, known, X, len(classes.labels), self.static_)
            said[name] = probabilities
        rows = {name: classes.metrics(true, one) for name, one in said.items()}
        right = {name: classes.right(true, one) for name, one in said.items()}
        counts = confusion(true, given.argmax(-1), len(self.classes_)) if true.ndim == 1 else None
        names = tuple(str(label) for label in self.classes_)
        by_label = {} if true.ndim == 1 else label_figures(true == 1, given > 0.5, names)
        noise = noise_of(next(iter(rows["model"])), right)
        return ScoreTable(f"{len(X):,} sequences", rows, counts, names, by_label, noise)

    def _true(self, y: Part) -> npt.NDArray[Any]:
        """Return the true targets as numbers, for scores; some labels that training did not have pass, not all."""
        true = self.targets_.numbers(y, strict=False)
        return self.targets_.numbers(y) if true.ndim == 1 and (true < 0).all() else true

    def _said(self, examples: SequenceExamples) -> tuple[list[list[Prediction]], list[Prediction]]:
        return prefix_predictions(examples, self._in_words)

    def _in_words(self, examples: SequenceExamples) -> list[list[Prediction]]:
        return [best(row, self.classes_) for row in self._probabilities_of(examples)]

    def _running(self, network: ClassifierNetwork) -> ClassAnswers:
        return ClassAnswers(network, self.targets_, network.temperature, self.classes_)

    # --- what the base asks for ------------------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that an example may have several labels."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _own_loss(self, settings: ClassifierSettings) -> BatchLoss | None:
        return None if settings.loss is None else own_loss(self.network_, settings.loss, single=False)

    def _demand_targets(self, y: Part) -> None:
        demand_all(y, "a label")

    def _learn(self, y: Part) -> None:
        if self.loss is not None and self.class_weight is not None:
            raise UsageError("class_weight counts in the library's loss; with a loss of your own weigh classes there")
        self.targets_ = learn_classes(y.whole())

    def _targets(self, y: Part, inputs: Ragged) -> npt.NDArray[Any]:
        return self.targets_.numbers(y)

    def _split(self, y: Part, fraction: float, seed: int) -> Split:
        return split_stratified(self._strata(y), fraction, seed)

    def _network(self, settings: ClassifierSettings) -> ClassifierNetwork | ClassifierEnsemble:
        if settings.ensemble == 1:
            return self._one_network(settings)
        return ClassifierEnsemble(partial(self._one_network, settings), settings.ensemble, self.targets_)

    def _one_network(self, settings: ClassifierSettings) -> ClassifierNetwork:
        linear = self._linear(len(self.targets_.labels)) if isinstance(self.targets_, OneLabel) else None
        parts = self._reader(settings), self.pooling_, self.targets_, self._static_reader(), linear
        return ClassifierNetwork(*parts)

    def _strata(self, y: Part) -> Sequence[Any]:
        return learn_classes(y).strata(y)

    def _prepare(self, training: SequenceExamples) -> None:
        network, classes = self.network_, self.targets_
        assert isinstance(network, ClassifierNetwork)
        counts = classes.counts(np.asarray(training.targets))
        weights = label_weights(self.class_weight, classes.labels, counts)
        network.class_counts.copy_(torch.from_numpy(counts))
        network.examples.fill_(len(training))
        network.class_weight.copy_(torch.from_numpy(weights))
        network.temperature.fill_(1.0)  # that of weights which training goes on from is not that of its end
        if isinstance(network.beside, LinearOfSummaries):
            learn_labels(network.beside, training)

    def _naive(self, held_out: SequenceExamples) -> Naive:
        assert isinstance(self.network_, ClassifierNetwork)
        scores, true = self._prior_scores(len(held_out)), torch.from_numpy(np.asarray(held_out.targets))
        weights = None if held_out.weights is None else torch.from_numpy(held_out.weights)
        total = self.targets_.loss(scores, true, self.network_.class_weight.double().cpu(), weights)
        return Naive("saying how frequent each label is", float(total) / true.numel())

    def _prior_scores(self, examples: int) -> Tensor:
        """Return the scores [N, K] of knowing nothing but how frequent each label is."""
        prior = self.targets_.prior(self.network_.class_counts.cpu().numpy(), int(self.network_.examples))
        return self.targets_.scores(torch.from_numpy(prior)).expand(examples, -1)

    def _finish(self, held_out: SequenceExamples) -> None:
        true = torch.from_numpy(np.asarray(held_out.targets))
        self._share(held_out, true)
        scores = torch.from_numpy(self._scores(held_out))
        if self.loss is None:
            gains = self.targets_.losses(self._prior_scores(len(held_out)), true) - self.targets_.losses(scores, true)
            self._note(chance_notes(gains.numpy(), what_to_try(self.outcome_, checked(self), self.pace_)))
        if not self.calibrate:
            return
        temperature = fitted_temperature(scores, lambda divided: self.targets_.losses(divided, true))
        self.network_.temperature.fill_(temperature)

    def _share(self, held_out: SequenceExamples, true: Tensor) -> None:
        """Choose how far the network's answers are followed from those of the linear model beside it."""
        if not isinstance(linear := self.network_.beside, LinearOfSummaries):
            return
        given, beside = torch.from_numpy(self._scores(held_out)), torch.from_numpy(self._beside(held_out))
        linear.share.fill_(share_of_labels(beside, given, true, lambda scores: self.targets_.losses(scores, true)))
        self._note(shared_notes(linear.share, "scores"))

    def _scores(self, examples: SequenceExamples) -> Probabilities:
        parts = self._read(examples, lambda b: self.network_(b.inputs, b.lengths, b.static))
        return stacked(len(examples), parts, len(self.classes_))

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "classes": self.targets_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.targets_ = classes_from_json(learned["classes"])
