"""StepModel: what a whole model computes at one step, as data that every target of an export is written from."""

from loopcell.export.step_model.evaluate import StepRun
from loopcell.export.step_model.formulas import formula
from loopcell.export.step_model.of_layers import layer_stages
from loopcell.export.step_model.stages import (
    Delay,
    Equations,
    Lookup,
    Output,
    Quantity,
    Softmax,
    Stage,
    StepModel,
)

__all__ = [
    "Delay",
    "Equations",
    "Lookup",
    "Output",
    "Quantity",
    "Softmax",
    "Stage",
    "StepModel",
    "StepRun",
    "formula",
    "layer_stages",
]
