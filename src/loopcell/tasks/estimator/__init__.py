"""The common base of all estimators: arguments, training, files, and sequences as input."""

from loopcell.tasks.estimator.base import Estimator, in_order, stacked
from loopcell.tasks.estimator.ending import Naive, chance_notes, what_to_try
from loopcell.tasks.estimator.engine import Loss, device_of
from loopcell.tasks.estimator.examples import Examples, SequenceBatch, SequenceExamples
from loopcell.tasks.estimator.parts import Part, as_pair, as_part
from loopcell.tasks.estimator.pooled import PooledEstimator
from loopcell.tasks.estimator.sequences import Pair, SequenceEstimator, Split

__all__ = [
    "Estimator",
    "Examples",
    "Loss",
    "Naive",
    "Pair",
    "Part",
    "PooledEstimator",
    "SequenceBatch",
    "SequenceEstimator",
    "SequenceExamples",
    "Split",
    "as_pair",
    "as_part",
    "chance_notes",
    "device_of",
    "in_order",
    "stacked",
    "what_to_try",
]
