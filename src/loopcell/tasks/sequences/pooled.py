"""PooledEstimator: one vector for a whole sequence, pooled over its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loopcell.errors import quoted
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.tasks.core.estimator.parts import Part
from loopcell.tasks.core.estimator.sequences import SequenceEstimator
from loopcell.tasks.core.networks.pooling import POOLINGS, chosen_pooling
from loopcell.tasks.core.settings import PoolingChoice, PoolingName


class PooledEstimator(SequenceEstimator):
    """A sequence estimator with the setting `pooling`, which may be "auto".

    Attributes:
        pooling_: what the network pools by: the setting, or what "auto" came to; a model file keeps it.
    """

    pooling: PoolingChoice
    pooling_: PoolingName

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
