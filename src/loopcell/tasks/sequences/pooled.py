"""PooledEstimator: one vector for a whole sequence, pooled over its steps, beside what holds for it as a whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from loopcell import cells
from loopcell.data.examples import Scale, SequenceData, with_beside
from loopcell.errors import DataError, UsageError, quoted
from loopcell.tasks.core.argument_types import PoolingChoice, PoolingName
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.tasks.core.estimator.features_in import (
    features_to_json,
    known_features,
    learn_features,
    restore_features,
)
from loopcell.tasks.core.estimator.parts import Part
from loopcell.tasks.core.estimator.reading import stacked
from loopcell.tasks.core.estimator.sequences import Pair, SequenceEstimator
from loopcell.tasks.core.inputs.mixed import chosen_steps
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.inputs.static import StaticInput, StaticReader
from loopcell.tasks.core.networks.front import chosen_stride, demand_stride
from loopcell.tasks.core.networks.pooling import POOLINGS, chosen_pooling
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.scale_tensors import demand_shape
from loopcell.tasks.core.settings import NetworkSettings, checked
from loopcell.tasks.sequences.linear import LinearOfSummaries, wants_linear


class PooledEstimator(SequenceEstimator):
    """A sequence estimator with the setting `pooling`, which may be "auto", and perhaps static values.

    Attributes:
        pooling_: what the network pools by: the setting, or what "auto" came to; a model file keeps it.
        downsample_: how many steps convolutions make one of, in the same way; 1 where there are none.
        summaries_: whether a linear model of summaries stands beside the network, in the same way.
        farthest_: how far from its mean, in deviations, a summary counts there.
        static_: what was learned of values that hold for a whole sequence; None where there were none.
        n_features_in_: how many columns X has, where it is an array [N, F] or a frame of numbers.
        feature_names_in_: their names, where it is a frame.
    """

    pooling: PoolingChoice
    pooling_: PoolingName
    downsample: int | str
    downsample_: int
    summaries: bool | None
    summaries_: bool
    farthest_: float = math.inf
    loss: Any
    categories: tuple[str, ...]
    static_: StaticInput | None = None
    n_features_in_: int
    feature_names_in_: npt.NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that X may be a table, texts, or sequences of several numbers a step."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags

    def fit(  # noqa: PLR0913 - one for each thing that stands beside a sequence
        self,
        X: Sequence[Any],
        y: Sequence[Any],
        sample_weight: npt.ArrayLike | None = None,
        *,
        static: Any = None,
        times: Any = None,
        groups: Any = None,
        validation: Pair | None = None,
        run: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from examples; see `SequenceEstimator.fit`.

        Args:
            X: sequences, or a `loopcell.data.SequenceData`, which has static values and times in it.
            y: what is to be learned of each.
            sample_weight: how much each example counts, [N].
            static: values that hold for a whole sequence, [N, S]: numbers, texts, a frame; None for none.
            times: of each sequence the times of its steps, [T], numbers or dates; None where steps are evenly spaced.
            groups: the group of each example, [N], of which whole ones are held out.
            validation: (X, y) to choose the best weights by, X a `SequenceData` where there are static values or times.
            run: a new folder for checkpoints, curves and the model; None for none.
            resume: go on with the run of that folder, with the same data.

        Raises:
            DataError: an example cannot be used; the sentence says which and why.
            UsageError: an argument of the constructor is out of its bounds, or the folder is taken.
            TrainingError: the loss is not finite.
            KeyboardInterrupt: it was interrupted; the estimator has what training came to.
        """
        X = with_beside(X, static, times)
        return super().fit(X, y, sample_weight, groups=groups, validation=validation, run=run, resume=resume)

    def _learn_columns(self, X: Any) -> Any:
        return X.of(learn_features(self, X.X)) if isinstance(X, SequenceData) else learn_features(self, X)

    def _known_columns(self, X: Any) -> Any:
        return X.of(known_features(self, X.X)) if isinstance(X, SequenceData) else known_features(self, X)

    def _learn_beside(self, X: Part) -> None:
        of_steps = set(chosen_steps(self.input_))
        named = tuple(name for name in checked(self).categories if name not in of_steps)
        self.static_ = None if X.static is None else StaticInput.learn(X, named)
        if self.static_ is None and named:
            raise UsageError(
                f"categories names {named[0]!r}, and there is no such column of steps with a name, nor static ones: "
                "give static=[...] to fit"
            )

    def _with_beside(self, examples: SequenceExamples, X: Part) -> SequenceExamples:
        if self.static_ is not None:
            examples.static = self.static_.rows(X)
            self._note(self.static_.notes)
        elif X.static is not None:
            raise DataError("X comes with static values, and training had none; leave out static=")
        return examples

    def _static_reader(self) -> StaticReader | None:
        return None if self.static_ is None else self.static_.reader()

    def _scales(self) -> dict[str, Scale]:
        return {**super()._scales(), **({} if self.static_ is None else {"static": self.static_.scale})}

    def _take_scales(self, scales: Mapping[str, Scale]) -> None:
        rest = dict(scales)
        if self.static_ is not None:
            self.static_.scale = demand_shape(rest.pop("static"), len(self.static_.columns))
        super()._take_scales(rest)

    def _more_facts(self) -> dict[str, Any]:
        return {**super()._more_facts(), **features_to_json(self)}

    def _restore_more(self, facts: Mapping[str, Any]) -> None:
        super()._restore_more(facts)
        restore_features(self, facts)

    def _training_examples(self, X: Part, y: Part) -> SequenceExamples:
        examples = super()._training_examples(X, y)
        numbers = isinstance(self.input_, NumericInput)
        of_mean = self.loss in (None, "mse")
        self.summaries_ = wants_linear(self.summaries, examples=len(examples), numbers=numbers and of_mean)
        self.downsample_ = self._chosen_stride(examples, numbers=numbers)
        self.pooling_ = chosen_pooling(self.pooling, examples.lengths, self.downsample_)
        return examples

    def _chosen_stride(self, examples: SequenceExamples, *, numbers: bool) -> int:
        """Return how many steps convolutions make one of; a cell that reads more than x of each step has none."""
        inputs = cells.get(self.cell).inputs
        chosen = chosen_stride(self.downsample, examples.lengths, numbers=numbers and len(inputs) <= 1)
        if chosen > 1 and len(inputs) > 1:
            raise UsageError(
                f"downsample={chosen} takes several steps in at once, and this cell reads {' and '.join(inputs[1:])} "
                "of each: leave out downsample, or take another cell"
            )
        return chosen

    def _reader(self, settings: NetworkSettings) -> SequenceReader:
        return SequenceReader(self.input_.first_layer(settings), settings, self.downsample_)

    def _linear(self, outputs: int) -> LinearOfSummaries | None:
        """Make the linear model that stands beside a network, where there is to be one."""
        if not self.summaries_:
            return None
        assert isinstance(self.input_, NumericInput)
        return LinearOfSummaries(self.input_.step_size, outputs, self.farthest_)

    def _beside(self, examples: SequenceExamples) -> npt.NDArray[np.float64]:
        """Return what the linear model says of examples, float64 [N, K]."""
        linear = self.network_.get_submodule("beside")
        parts = self._read(examples, lambda batch: linear(batch.inputs, batch.lengths))
        return stacked(len(examples), parts, len(linear.get_buffer("bias")))

    def _learned(self) -> dict[str, Any]:
        known = {
            "pooling": self.pooling_,
            "downsample": self.downsample_ if self.downsample_ > 1 else None,
            "summaries": self.summaries_ or None,
            "farthest": self.farthest_ if self.summaries_ and self.farthest_ < math.inf else None,
            "static": None if self.static_ is None else self.static_.to_json(),
        }
        return {**super()._learned(), **{name: one for name, one in known.items() if one is not None}}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        found = learned.get("pooling", self.pooling)  # files from before there was "auto" have the setting alone
        if found not in POOLINGS:
            raise ValueError(f"its pooling is {quoted(found)}")
        self.pooling_ = found
        self.summaries_ = learned.get("summaries", False) is True
        self.farthest_ = _demand_distance(learned.get("farthest", math.inf))
        self.downsample_ = demand_stride(learned.get("downsample", 1))
        self.static_ = StaticInput.from_json(learned["static"]) if "static" in learned else None


def _demand_distance(stored: object) -> float:
    """Return deviations that a file holds; ValueError when they are none."""
    if not isinstance(stored, float) or not stored > 0:
        raise ValueError(f"its farthest summaries are {quoted(stored)}")
    return stored
