"""The common base of all estimators: arguments, training, files, and sequences as input."""

from loopcell.tasks.estimator.base import Estimator
from loopcell.tasks.estimator.examples import Examples, SequenceBatch, SequenceExamples
from loopcell.tasks.estimator.sequences import SequenceEstimator

__all__ = ["Estimator", "Examples", "SequenceBatch", "SequenceEstimator", "SequenceExamples"]
