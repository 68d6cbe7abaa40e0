"""StepModel: what a whole model computes at one step, as data that every target of an export is written from."""

from loopcell.export.step_model.averaging import averaged
from loopcell.export.step_model.checks import HasStepCheck, OwnRun, StepCheck
from loopcell.export.step_model.evaluate import StepRun
from loopcell.export.step_model.formulas import formula
from loopcell.export.step_model.of_layers import layer_stages
from loopcell.export.step_model.of_model import HasStepModel, step_model_of
from loopcell.export.step_model.stages import (
    Delay,
    Equations,
    Frames,
    Join,
    Lookup,
    MelBands,
    Output,
    Quantity,
    Slice,
    Softmax,
    Stage,
    StepModel,
)

__all__ = [
    "Slice",
    "Delay",
    "Equations",
    "Frames",
    "HasStepCheck",
    "HasStepModel",
    "Join",
    "Lookup",
    "MelBands",
    "Output",
    "OwnRun",
    "Quantity",
    "Softmax",
    "Stage",
    "StepCheck",
    "StepModel",
    "StepRun",
    "averaged",
    "formula",
    "layer_stages",
    "step_model_of",
]
