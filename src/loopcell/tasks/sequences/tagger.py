"""SequenceTagger: many-to-many aligned, a label for every step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Ragged
from loopcell.data.examples import with_beside
from loopcell.errors import DataError, UsageError
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.insight import Prediction
from loopcell.layers import State
from loopcell.tasks.core.estimator import (
    IGNORED,
    Naive,
    Pair,
    Part,
    SequenceEstimator,
    SequenceExamples,
    as_pair,
    device_of,
    in_order,
)
from loopcell.tasks.core.estimator.inspecting import best
from loopcell.tasks.core.estimator.weights import as_weights
from loopcell.tasks.core.frames import like
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import TaggerSettings
from loopcell.tasks.sequences.causal import demand_no_look_ahead, demand_one_state, demand_single_tokens
from loopcell.tasks.sequences.ensembles import TaggerEnsemble
from loopcell.tasks.sequences.pieces import read_piece
from loopcell.tasks.sequences.step_checks import aligned_check
from loopcell.tasks.sequences.step_models import tagger_step
from loopcell.tasks.sequences.step_tables import Answers, Tagged, step_table
from loopcell.tasks.sequences.tag_stream import StreamedTagger
from loopcell.tasks.sequences.tagger_network import TaggerNetwork
from loopcell.tasks.sequences.targets import StepLabels, label_weights, learn_step_labels, step_labels_from_json
from loopcell.tasks.sequences.temperature import fitted_temperature

Array = npt.NDArray[Any]


class SequenceTagger(TaggerSettings, SequenceEstimator, StreamedTagger):
    """A label for each step of a sequence: a word's part of speech, speech or silence in a frame, a place of a splice.

    Its arguments are those of `NetworkSettings`, `TrainingSettings` and `TaggerSettings` in
    `loopcell.tasks.core.settings`, all of them keywords with defaults.

    y has one sequence of labels per example, as long as the example has steps; None is an unknown label, NaN too. Or a
    step has any number of labels: a list or set of them, or a row of an array [T, K] of zeros and ones, or of a frame
    with a column for each label; NaN is unknown there. Predictions have the same form.

    Attributes:
        classes_: array [K] of the labels, sorted.
        network_: the trained network.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "sequence-tagger"
    reads_single_numbers = True
    says_of_a_step = "here"
    network_: TaggerNetwork | TaggerEnsemble
    targets_: StepLabels

    @property
    def classes_(self) -> Array:
        """The labels [K], sorted."""
        self._fitted()
        return self.targets_.labels.values

    def fit(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        times: Any = None,
        groups: Any = None,
        validation: Pair | None = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from examples; see `SequenceEstimator.fit`.

        Args:
            X: sequences, or a `loopcell.data.SequenceData`, which has the times in it.
            y: the labels of the steps of each.
            sample_weight: how much each example counts, [N].
            times: of each sequence the times of its steps, [T], numbers or dates; None where steps are evenly spaced.
            groups: the group of each example, [N], of which whole ones are held out.
            validation: (X, y) to choose the best weights by, X a `SequenceData` where there are times.
            run: a new folder for checkpoints, curves and the model; None for none.
            resume: go on with the run of that folder, with the same data.

        Raises:
            DataError: an example cannot be used; the sentence says which and why.
            UsageError: an argument of the constructor is out of its bounds, or the folder is taken.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted; the estimator has what training came to.
        """
        X = with_beside(X, None, times)
        return super().fit(X, y, sample_weight, groups=groups, validation=validation, run=run, resume=resume)

    def predict(self, X: Sequence[Any], *, times: Any = None) -> Any:
        """Give the labels of each sequence in the form in which training had them, such as an array [T] each.

        Of a series of pandas it is a series with the same index, of polars a series, else a list.
        """
        X = with_beside(X, None, times)
        return like(X, self._predicted(X))

    def _predicted(self, X: Sequence[Any]) -> list[Any]:
        return [self.targets_.decoded(numbers) for numbers in self._best(X)]

    def _best(self, X: Sequence[Any]) -> list[Array]:
        return self._rows(self._unlabelled(X), TaggerNetwork.best)

    def predict_proba(self, X: Sequence[Any], *, times: Any = None) -> list[Array]:
        """Give the probability of each label at each step, an array [T, K] each, in the order of `classes_`.

        With one label a step a row sums to one; with several each label has a probability of its own.
        """
        return self._rows(self._unlabelled(with_beside(X, None, times)), TaggerNetwork.probabilities)

    def predict_next(self, steps: Any, state: State | None = None, *, times: Any = None) -> tuple[Any, State]:
        """Label the next steps of a stream, with what was read before.

        Args:
            steps: a piece of one sequence, of any length: a string, a list of tokens, an array [T, I].
            state: what the call before returned; None at the beginning.
            times: of the steps, [T], where training had times.

        Returns:
            The labels [T], and the state to go on from. Pieces of any size give the labels that the whole gives.

        Raises:
            UsageError: the tagger reads both ways or has a CRF: its labels depend on what has not come yet. Or it is an
                ensemble, or reads n-grams, and a piece does not know the tokens before it.
        """
        scores, after = self._next_scores(steps, state, times)
        return self.targets_.decoded(self.targets_.best(scores).cpu().numpy()), after

    def _demand_causal(self) -> None:
        """Refuse a tagger whose labels depend on more than what has come; UsageError says on what."""
        self._fitted()
        demand_no_look_ahead(self, "tagger")
        demand_single_tokens(self, "tagger")

    def step_model(self) -> StepModel:
        """Return the tagger's step: the probabilities of all labels; see `StoredEstimator.step_model`."""
        self._fitted()
        demand_no_look_ahead(self, "tagger")
        return tagger_step(self.input_, self.network_, self.classes_, several=self.targets_.several)

    def step_check(self, data: Any) -> StepCheck:
        """Return sequences as steps, with the tagger's own answers; see `loopcell.export.verify`."""
        return aligned_check(self, data)

    def _next_scores(self, steps: Any, state: State | None, times: Any = None) -> tuple[Tensor, State]:
        """Return the scores [T, K] of a piece of one sequence, and the state after it."""
        self._demand_causal()
        demand_one_state(self, "tagger")
        piece, after_piece, state = read_piece(self.input_, steps, times, state)
        with torch.no_grad():
            scores, after = self.network_(piece.to(device_of(self.network_)), None, state)
        return scores[:, 0], after_piece(after)

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the labels of each sequence as JSON values."""
        for numbers in self._best(X):
            yield {"labels": self.targets_.plain(numbers)}

    def _said(self, examples: SequenceExamples) -> tuple[list[list[Prediction]], list[Prediction]]:
        (rows,) = self._rows(examples, TaggerNetwork.probabilities)
        return [best(row, self.classes_) for row in rows], []

    def score(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        times: Any = None,
    ) -> float:
        """Return the share of steps with the right label, or all their labels right, among those whose label is known.

        Args:
            X: sequences.
            y: their labels.
            sample_weight: how much each step of a sequence counts, [N]; None counts all alike.
            times: as in `fit`.

        Raises:
            DataError: a weight is below 0 or not finite, there are more or fewer of them than sequences, or all are 0;
                or no label of a sequence that counts is known.
        """
        X, y = as_pair(with_beside(X, None, times), y)
        weights = np.ones(len(X)) if sample_weight is None else as_weights(sample_weight, len(X))
        examples = self._unlabelled(X)
        lengths = examples.inputs.lengths
        true = np.asarray(self.targets_.numbers(y, lengths, strict=False).values)
        given = np.concatenate(self._rows(examples, TaggerNetwork.best))
        steps = np.repeat(weights, lengths) * self.targets_.steps_known(true)
        if not steps.any():
            raise DataError("y has no label that is known: there is nothing to score")
        return float(np.average(self.targets_.right(given, true), weights=steps))

    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """Measure accuracy and macro-F1 per step and F1 of entities or segments, beside the most frequent label.

        The table has the confusion of the labels of all steps too. Where a step may have several labels, it measures
        the negative log-likelihood of a step in nats, F1, and the share of steps with every label right, beside the
        labels' frequencies.

        Args:
            X: sequences.
            y: their labels.
            training: (X, y) for a baseline that sees a step, and of tokens their neighbours, but no history: the most
                frequent label of the token between its neighbours, or logistic regression on a step's numbers.
        """
        self._fitted()
        X, y = as_pair(X, y)
        known = None if training is None else self._examples(*as_pair(*training))
        return step_table(self.targets_, Tagged(self._examples(X), y), self._answers, known)

    def _answers(self, examples: SequenceExamples) -> Answers:
        """Return what `step_table` asks for of examples."""
        network: Any = self.network_
        best, likely = (self._rows(examples, read) for read in (TaggerNetwork.best, TaggerNetwork.probabilities))
        return Answers(best, likely, self.targets_.probabilities(network.prior_scores()).numpy())

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _learn(self, y: Part) -> None:
        if self.crf and self.class_weight is not None:
            raise UsageError("a CRF scores a whole sequence, so it has no class_weight; leave out one of the two")
        if self.crf and self.ensemble > 1:
            raise UsageError("a CRF's best labels of several networks have no mean; leave out crf or ensemble")
        self.targets_ = learn_step_labels(y.whole())
        if self.crf and self.targets_.several:
            raise UsageError("a CRF gives one label a step, and here a step has several; leave out crf=True")

    def _targets(self, y: Part, inputs: Ragged) -> Ragged:
        return self.targets_.numbers(y, inputs.lengths)

    def _network(self, settings: TaggerSettings) -> TaggerNetwork | TaggerEnsemble:
        if settings.ensemble == 1:
            return self._one_network(settings)
        return TaggerEnsemble(partial(self._one_network, settings), settings.ensemble, self.targets_)

    def _one_network(self, settings: TaggerSettings) -> TaggerNetwork:
        return TaggerNetwork(self._reader(settings), self.targets_, crf=settings.crf)

    def _prepare(self, training: SequenceExamples) -> None:
        assert isinstance(self.network_, TaggerNetwork)
        assert isinstance(training.targets, Ragged)
        network, parts = self.network_, [self.targets_.counts(numbers) for numbers in training.targets.blocks()]
        counts, known = (sum(part[1:], part[0]) for part in zip(*parts, strict=True))
        network.label_counts.copy_(torch.from_numpy(counts))
        if self.targets_.several:
            network.label_steps.copy_(torch.from_numpy(known))
        weights = label_weights(self.class_weight, self.targets_.labels, counts)
        network.label_weight.copy_(torch.from_numpy(weights))
        network.temperature.fill_(1.0)  # that of weights which training goes on from is not that of its end
        if lacking := sum(np.count_nonzero(numbers == IGNORED) for numbers in training.targets.blocks()):
            kind = "labels of steps are" if self.targets_.several else "steps have a label that is"
            count = math.prod(training.targets.values.shape)
            self._note([f"{lacking:,} of {count:,} {kind} not known: nothing is learned from them"])

    def _begin(self, training: SequenceExamples) -> None:
        """Begin with how frequent labels are where a step has several: most of many labels are rare."""
        if self.targets_.several:
            assert isinstance(self.network_, TaggerNetwork)
            with torch.no_grad():
                self.network_.head.bias.copy_(self.network_.prior_scores())

    def _naive(self, held_out: SequenceExamples) -> Naive | None:
        assert isinstance(self.network_, TaggerNetwork)
        assert isinstance(held_out.targets, Ragged)
        true = torch.from_numpy(np.asarray(held_out.targets.values))
        known = int((true != IGNORED).sum())
        if not known:
            return None
        weight = None if self.crf else self.network_.label_weight.double().cpu()
        scores = self.network_.prior_scores().expand(len(true), -1)
        losses = self.targets_.losses(scores, true, weight)
        if held_out.weights is not None:
            losses = losses * torch.from_numpy(np.repeat(held_out.weights, held_out.lengths))
        return Naive("saying how frequent each label is", float(losses.sum()) / known)

    def _finish(self, held_out: SequenceExamples) -> None:
        if self.crf or not self.calibrate:
            return
        rows = self._rows(held_out, lambda network, batch: network(batch.inputs, batch.lengths)[0])
        assert isinstance(held_out.targets, Ragged)
        targets = np.asarray(held_out.targets.values)
        known = self.targets_.steps_known(targets)
        example = np.repeat(np.arange(len(rows)), [len(row) for row in rows])[known]
        scores = torch.from_numpy(np.concatenate(rows)[known])
        true = torch.from_numpy(targets[known])
        temperature = fitted_temperature(scores, lambda divided: self.targets_.losses(divided, true), example)
        self.network_.temperature.fill_(temperature)

    def _rows(self, examples: SequenceExamples, read: Any) -> list[Array]:
        """Return the network's result for each step, [T, ...] per example, in the order of the examples."""
        parts = self._read(examples, lambda batch: _cut(read(self.network_, batch), batch.lengths))
        return in_order(len(examples), parts)

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), **self.targets_.to_json()}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.targets_ = step_labels_from_json(learned)


def _cut(values: Tensor, lengths: Tensor) -> list[Array]:
    """Return the rows of [T, B, ...], each as long as it is."""
    found = values.cpu().numpy()
    return [found[:length, row] for row, length in enumerate(lengths.tolist())]
