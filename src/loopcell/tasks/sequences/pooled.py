"""PooledEstimator: one vector for a whole sequence, pooled over its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from loopcell.tasks.core.estimator.sequences import SequenceEstimator
from loopcell.tasks.core.networks.pooling import POOLINGS, chosen_pooling


class PooledEstimator(SequenceEstimator):
    """A sequence estimator with the setting `pooling`, which may be "auto".

    Attributes:
        pooling_: what the network pools by: the setting, or what "auto" came to; a model file keeps it.
        n_features_in_: how many columns X has, where it is an array [N, F] or a frame of numbers.
        feature_names_in_: their names, where it is a frame.
    """

    pooling: PoolingChoice
    pooling_: PoolingName
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
        self.pooling_ = chosen_pooling(self.pooling, examples.lengths)
        return examples

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "pooling": self.pooling_}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        found = learned.get("pooling", self.pooling)  # files from before there was "auto" have the setting alone
        if found not in POOLINGS:
            raise ValueError(f"its pooling is {quoted(found)}")
        self.pooling_ = found
