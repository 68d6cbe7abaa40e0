"""How good a model is: metrics, and tables of them beside naive baselines."""

from loopcell.tasks.scores.classification import class_metrics, confusion, set_metrics
from loopcell.tasks.scores.regression import regression_metrics
from loopcell.tasks.scores.table import ScoreTable
from loopcell.tasks.scores.tagging import tag_metrics

__all__ = ["ScoreTable", "class_metrics", "confusion", "regression_metrics", "set_metrics", "tag_metrics"]
