"""The common base of all estimators: arguments, training, files, and sequences as input."""

from loopcell.tasks.core.estimator.base import Estimator
from loopcell.tasks.core.estimator.context import RunContext
from loopcell.tasks.core.estimator.ending import Naive, what_to_try
from loopcell.tasks.core.estimator.engine import Loss, device_of
from loopcell.tasks.core.estimator.examples import IGNORED, Examples, SequenceBatch, SequenceExamples
from loopcell.tasks.core.estimator.parts import Part, as_pair, as_part
from loopcell.tasks.core.estimator.reading import in_order, stacked
from loopcell.tasks.core.estimator.sequences import Pair, SequenceEstimator, Split

__all__ = [
    "IGNORED",
    "Estimator",
    "Examples",
    "Loss",
    "Naive",
    "Pair",
    "Part",
    "RunContext",
    "SequenceBatch",
    "SequenceEstimator",
    "SequenceExamples",
    "Split",
    "as_pair",
    "as_part",
    "device_of",
    "in_order",
    "stacked",
    "what_to_try",
]
