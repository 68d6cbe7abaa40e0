"""PooledEstimator: one vector for a whole sequence, pooled over its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import quoted
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
from loopcell.tasks.core.estimator.sequences import SequenceEstimator
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.networks.front import STRIDES, chosen_stride
from loopcell.tasks.core.networks.pooling import POOLINGS, chosen_pooling
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.settings import NetworkSettings
from loopcell.tasks.sequences.linear import LinearOfSummaries, wants_linear


class PooledEstimator(SequenceEstimator):
    """A sequence estimator with the setting `pooling`, which may be "auto".

    Attributes:
        pooling_: what the network pools by: the setting, or what "auto" came to; a model file keeps it.
        stride_: how many steps convolutions make one of, in the same way; 1 where there are none.
        summaries_: whether a linear model of summaries stands beside the network, in the same way.
        n_features_in_: how many columns X has, where it is an array [N, F] or a frame of numbers.
        feature_names_in_: their names, where it is a frame.
    """

    pooling: PoolingChoice
    pooling_: PoolingName
    stride: int | str
    stride_: int
    summaries: bool | str
    summaries_: bool
    loss: Any
    n_features_in_: int
    feature_names_in_: npt.NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that X may be a table, texts, or sequences of several numbers a step."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _learn_columns(self, X: Any) -> Any:
        return learn_features(self, X)

    def _known_columns(self, X: Any) -> Any:
        return known_features(self, X)

    def _more_facts(self) -> dict[str, Any]:
        return {**super()._more_facts(), **features_to_json(self)}

    def _restore_more(self, facts: Mapping[str, Any]) -> None:
        super()._restore_more(facts)
        restore_features(self, facts)

    def _training_examples(self, X: Part, y: Part) -> SequenceExamples:
        examples = super()._training_examples(X, y)
        numbers = isinstance(self.input_, NumericInput)
        self.summaries_ = wants_linear(self.summaries, examples=len(examples), numbers=numbers and self.loss is None)
        self.stride_ = chosen_stride(self.stride, examples.lengths, numbers=numbers)
        self.pooling_ = chosen_pooling(self.pooling, examples.lengths, self.stride_)
        return examples

    def _reader(self, settings: NetworkSettings) -> SequenceReader:
        return SequenceReader(self.input_.first_layer(settings), settings, self.stride_)

    def _linear(self, outputs: int) -> LinearOfSummaries | None:
        """Make the linear model that stands beside a network, where there is to be one."""
        if not self.summaries_:
            return None
        assert isinstance(self.input_, NumericInput)
        return LinearOfSummaries(self.input_.step_size, outputs)

    def _beside(self, examples: SequenceExamples) -> npt.NDArray[np.float64]:
        """Return what the linear model says of examples, float64 [N, K]."""
        linear = self.network_.get_submodule("beside")
        parts = self._read(examples, lambda batch: linear(batch.inputs, batch.lengths))
        return stacked(len(examples), parts, len(linear.get_buffer("bias")))

    def _learned(self) -> dict[str, Any]:
        more = ({"stride": self.stride_} if self.stride_ > 1 else {}) | ({"summaries": True} if self.summaries_ else {})
        return {**super()._learned(), "pooling": self.pooling_, **more}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        found = learned.get("pooling", self.pooling)  # files from before there was "auto" have the setting alone
        if found not in POOLINGS:
            raise ValueError(f"its pooling is {quoted(found)}")
        self.pooling_ = found
        self.summaries_ = learned.get("summaries", False) is True
        self.stride_ = _demand_stride(learned.get("stride", 1))


def _demand_stride(stored: object) -> int:
    """Return a stride that a file holds; ValueError when it is none."""
    if type(stored) is not int or stored not in STRIDES:
        raise ValueError(f"its stride is {quoted(stored)}")
    return stored
