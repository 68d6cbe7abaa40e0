"""What an estimator learns to give: labels as numbers, and numbers on a scale."""

from loopcell.tasks.targets.labels import IGNORED, Labels
from loopcell.tasks.targets.numbers import as_numbers

__all__ = ["IGNORED", "Labels", "as_numbers"]
