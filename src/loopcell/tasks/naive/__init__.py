"""What a model's score stands beside: models that see no order, or nothing at all."""

from loopcell.tasks.naive.sequences import features_of, quietly
from loopcell.tasks.naive.steps import ContextTable, StepLogistic

__all__ = ["ContextTable", "StepLogistic", "features_of", "quietly"]
