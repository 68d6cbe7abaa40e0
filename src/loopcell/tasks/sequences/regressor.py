"""SequenceRegressor: many-to-one, numbers for a whole sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from torch import Tensor

from loopcell.data import Ragged
from loopcell.data.examples import Scale, scale_of, with_beside, within_rounding
from loopcell.export.step_model import StepModel
from loopcell.insight import Prediction
from loopcell.tasks.core.estimator import (
    Loss,
    Naive,
    Pair,
    Part,
    SequenceBatch,
    SequenceExamples,
    stacked,
)
from loopcell.tasks.core.estimator.engine import BatchLoss
from loopcell.tasks.core.estimator.inspecting import prefix_predictions
from loopcell.tasks.core.estimator.weights import as_weights, weigh
from loopcell.tasks.core.frames import like
from loopcell.tasks.core.losses import POINT_LOSSES, Losses, pinball, squared
from loopcell.tasks.core.networks.many_to_one import ManyToOne
from loopcell.tasks.core.paired import noise_of
from loopcell.tasks.core.scale_tensors import demand_shape
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import RegressorSettings
from loopcell.tasks.sequences.baselines.numbers import ridge
from loopcell.tasks.sequences.ensembles import RegressorEnsemble
from loopcell.tasks.sequences.linear import FARTHEST, LinearOfSummaries, learn_numbers, shared_notes
from loopcell.tasks.sequences.metrics.regression import example_losses, regression_metrics
from loopcell.tasks.sequences.own_loss import own_loss
from loopcell.tasks.sequences.pooled import PooledEstimator
from loopcell.tasks.sequences.pooled_stream import StreamedPooled
from loopcell.tasks.sequences.running import NumberAnswers, RunningNumber
from loopcell.tasks.sequences.shrinkage import kept_shares
from loopcell.tasks.sequences.step_models import Pooled, regressor_step
from loopcell.tasks.sequences.targets import as_number_rows, demand_all

Numbers = npt.NDArray[np.float64]


class RegressorNetwork(ManyToOne):
    """K numbers, each on the scale of the training part.

    Args:
        reader: reads the sequences.
        pooling: last, mean, max or attention.
        outputs: K.
        static: reads what holds for a whole sequence; None where nothing does.

    Attributes:
        losses: of numbers and what is true of them, each by itself.
    """

    losses: Losses = staticmethod(squared)

    def loss(self, batch: SequenceBatch) -> Loss:
        """Return the squared error, or another loss, of targets on a scale on which they have deviation 1."""
        given = self.read(batch.inputs, batch.lengths, batch.static)
        return Loss(weigh(self.losses(given, batch.targets), batch.weights), batch.targets.numel())

    def draw_to_mean(self, shares: Tensor) -> None:
        """Keep only these shares [K] of the outputs' deviations from the mean, which is 0 on their scale."""
        with torch.no_grad():
            self.head.bias.mul_(shares.to(self.head.bias))
            self.head.weight.mul_(shares.to(self.head.weight)[:, None])


class SequenceRegressor(RegressorSettings, RegressorMixin, PooledEstimator, StreamedPooled[RunningNumber]):  # type: ignore[misc]
    """A number for each sequence, or several: a grade, an age, the remaining life of a machine.

    Its arguments are those of `NetworkSettings`, `TrainingSettings` and `RegressorSettings` in
    `loopcell.tasks.core.settings`, all of them keywords with defaults.

    y is [N], or [N, K] for K numbers each. Predictions have the same form.

    Attributes:
        outputs_: K, or None where y was [N].
        target_scale_: mean and deviation [K] of the training part's targets.
        pooling_: what the network pools by, where `pooling` is "auto".
        network_: the trained network.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "sequence-regressor"
    network_: RegressorNetwork | RegressorEnsemble
    outputs_: int | None
    target_scale_: Scale

    def predict(self, X: Sequence[Any], *, static: Any = None, times: Any = None) -> Any:
        """Give the numbers of each sequence, float64 [N] or [N, K].

        Of a series or frame of pandas it is a series or frame with the same index, of polars a series or frame.
        """
        X = with_beside(X, static, times)
        return like(X, self._predicted(X))

    def _predicted(self, X: Sequence[Any]) -> Numbers:
        self._fitted()
        rows = self.target_scale_.undo(self._scaled(self._unlabelled(X)))
        return rows if self.outputs_ else rows[:, 0]

    def score(
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        static: Any = None,
        times: Any = None,
    ) -> float:
        """Return R2, the share of the squared error beside the mean of y that is gone; of K numbers their mean R2.

        Args:
            X: sequences.
            y: their numbers.
            sample_weight: how much each sequence counts, [N]; None counts all alike.
            static: as in `fit`.
            times: as in `fit`.

        Raises:
            DataError: a weight is below 0 or not finite, there are more or fewer of them than sequences, or all are 0.
        """
        self._fitted()
        X, y = self._pair(with_beside(X, static, times), y)
        true = as_number_rows(y, self.outputs_ or 1)
        weights = None if sample_weight is None else as_weights(sample_weight, len(X))
        return float(r2_score(true, self._predicted(X).reshape(true.shape), sample_weight=weights))

    def step_model(self) -> StepModel:
        """Return the regressor's step: its numbers by all steps so far; see `StoredEstimator.step_model`."""
        return regressor_step(Pooled(self.input_, self.static_), self._fitted(), self.target_scale_)

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the number of each sequence, or its numbers, as JSON values."""
        for value in self._predicted(X).tolist():
            yield {"values" if self.outputs_ else "value": value}

    def evaluate(self, X: Sequence[Any], y: Sequence[Any], *, training: Pair | None = None) -> ScoreTable:
        """Measure squared and absolute error and R2, beside the training part's mean.

        Args:
            X: sequences.
            y: what is true of them.
            training: (X, y) for ridge regression on n-grams, or on summaries of numbers; None leaves it out.
        """
        X, y = self._pair(X, y)
        true, predicted = as_number_rows(y, self.outputs_ or 1), self._predicted(X)
        mean = self.target_scale_.mean
        given = {"model": predicted.reshape(true.shape), "mean": np.broadcast_to(mean, true.shape)}
        if training:
            inputs, targets = self._pair(*training)
            name, numbers = ridge(self.input_, (inputs, as_number_rows(targets)), X, self.static_)
            given[name] = numbers.reshape(true.shape)
        level = self.quantile if self.loss == "quantile" else None
        rows = {name: regression_metrics(true, numbers, mean, level) for name, numbers in given.items()}
        no_spread = " (no R2: all numbers are the mean of training)" if bool((true == mean).all()) else ""
        own = {"mae": "MAE", "quantile": "pinball"}.get(self.loss if isinstance(self.loss, str) else "", "MSE")
        shown = {
            name: {key: one for key, one in ({own: row[own]} | row).items() if not np.isnan(one)}
            for name, row in rows.items()
        }
        losses = {name: example_losses(own, true, numbers, level).mean(1) for name, numbers in given.items()}
        return ScoreTable(f"{len(X):,} sequences{no_spread}", shown, noise=noise_of(own, losses))

    def _said(self, examples: SequenceExamples) -> tuple[list[list[Prediction]], list[Prediction]]:
        return prefix_predictions(examples, self._in_words)

    def _in_words(self, examples: SequenceExamples) -> list[list[Prediction]]:
        rows = self.target_scale_.undo(self._scaled(examples))
        return [[Prediction(", ".join(f"{value:.5g}" for value in row))] for row in rows]

    def _running(self, network: RegressorNetwork) -> NumberAnswers:
        return NumberAnswers(network, self.target_scale_, self.outputs_)

    # --- what the base asks for ------------------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that an example may have several numbers."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _own_loss(self, settings: RegressorSettings) -> BatchLoss | None:
        if not callable(settings.loss):
            return None
        return own_loss(self.network_, settings.loss, single=self.outputs_ is None)

    def _demand_targets(self, y: Part) -> None:
        demand_all(y, "a number")

    def _learn(self, y: Part) -> None:
        self.outputs_ = np.size(y[0]) if np.ndim(y[0]) else None
        self.farthest_ = FARTHEST
        rows = as_number_rows(y)
        self.target_scale_ = scale_of([rows], rows.shape[1])
        self._look_again(y)

    def _look_again(self, y: Part) -> None:
        rows = as_number_rows(y, self.outputs_ or 1)
        self._still = within_rounding(rows.min(0), rows.max(0))
        if self._still.any():
            self._note([_never_varies(self._still)])

    def _prepare(self, training: SequenceExamples) -> None:
        """Begin with the mean for numbers that never vary: there the gradient is zero, and training leaves them so."""
        assert isinstance(self.network_, RegressorNetwork)
        self.network_.draw_to_mean(torch.from_numpy(np.where(self._still, 0.0, 1.0)))
        targets = np.asarray(training.targets, dtype=np.float64)
        of_mean = self.loss in (None, "mse")  # 0 on this scale
        level = self.quantile if self.loss == "quantile" else 0.5
        self._same = np.zeros(targets.shape[1]) if of_mean else np.quantile(targets, level, axis=0)
        if isinstance(self.network_.beside, LinearOfSummaries):
            learn_numbers(self.network_.beside, training)

    def _targets(self, y: Part, inputs: Ragged) -> npt.NDArray[np.float32]:
        return self.target_scale_.read(as_number_rows(y, self.outputs_ or 1), "y")

    def _network(self, settings: RegressorSettings) -> RegressorNetwork | RegressorEnsemble:
        if settings.ensemble == 1:
            return self._one_network(settings)
        return RegressorEnsemble(partial(self._one_network, settings), settings.ensemble)

    def _one_network(self, settings: RegressorSettings) -> RegressorNetwork:
        outputs = self.outputs_ or 1
        parts = self._reader(settings), self.pooling_, outputs, self._static_reader(), self._linear(outputs)
        network = RegressorNetwork(*parts)
        if settings.loss == "quantile":
            network.losses = pinball(settings.quantile)
        elif isinstance(settings.loss, str):
            network.losses = POINT_LOSSES[settings.loss]
        return network

    def _finish(self, held_out: SequenceExamples) -> None:
        if not self.calibrate or self.loss not in (None, "mse"):  # what another loss gives need be no mean
            return
        given, true = self._scaled(held_out), np.asarray(held_out.targets, dtype=np.float64)
        assert isinstance(self.network_, RegressorNetwork)
        linear = self.network_.beside
        if isinstance(linear, LinearOfSummaries) and linear.weight.any():
            beside = self._beside(held_out)
            linear.share.copy_(torch.from_numpy(kept_shares(given - beside, true - beside)))
            self._note(shared_notes(linear.share[torch.from_numpy(~self._still)]))
            return
        shares = kept_shares(given, true)
        self.network_.draw_to_mean(torch.from_numpy(shares))
        if not (varying := shares[~self._still]).all():
            self._note([_only_the_mean(varying, len(held_out))])

    def _scaled(self, examples: SequenceExamples) -> Numbers:
        """Return the network's numbers for examples, float64 [N, K]."""
        parts = self._read(examples, lambda b: self.network_(b.inputs, b.lengths, b.static))
        return stacked(len(examples), parts, self.outputs_ or 1)

    def _scales(self) -> dict[str, Scale]:
        return {**super()._scales(), "target": self.target_scale_}

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        rest = dict(scales)
        self.target_scale_ = demand_shape(rest.pop("target"), self.outputs_ or 1)
        super()._take_scales(rest)

    def _naive(self, held_out: SequenceExamples) -> Naive | None:
        if self._still.all():  # there was nothing to learn
            return None
        assert isinstance(self.network_, RegressorNetwork)
        targets = torch.from_numpy(np.asarray(held_out.targets, dtype=np.float64))
        losses = self.network_.losses(torch.from_numpy(self._same).expand_as(targets), targets).numpy()
        return Naive(f"saying {self._named_constant()}", float(np.average(losses.mean(1), weights=held_out.weights)))

    def _named_constant(self) -> str:
        """Return what one number for all makes the loss least, or nearly so."""
        names = {"mae": "the median", "huber": "the median", "quantile": f"the quantile at {self.quantile:g}"}
        return names.get(self.loss or "", "the mean")

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "outputs": self.outputs_}

    def _restore(self, learned: dict[str, Any]) -> None:  # type: ignore[override]
        super()._restore(learned)
        outputs = learned["outputs"]
        if outputs is not None and not (isinstance(outputs, int) and 0 < outputs <= 2**20):
            raise ValueError(f"its outputs are {outputs!r}")
        self.outputs_ = outputs


def _never_varies(still: npt.NDArray[np.bool_]) -> str:
    if still.all():
        return "y never varies in training: every prediction is what it is there"
    return f"{still.sum()} of {len(still)} numbers of y never vary in training: they are predicted as they are there"


def _only_the_mean(shares: Numbers, held_out: int) -> str:
    which = f"{(shares == 0).sum()} of {len(shares)} numbers are" if shares.any() else "every prediction is"
    return (
        f"what was learned cannot be told from chance by {held_out:,} held-out examples, so {which} the mean of the "
        "training part; more examples may change that, and calibrate=False leaves it out"
    )
