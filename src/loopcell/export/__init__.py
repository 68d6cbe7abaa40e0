"""Models that leave Python: what a model computes at a step, written for other places to run."""

from loopcell.export.c import CReport, to_c
from loopcell.export.models import as_step_model
from loopcell.export.step_model import StepModel, StepRun

__all__ = ["CReport", "StepModel", "StepRun", "as_step_model", "to_c"]
