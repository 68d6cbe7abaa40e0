"""Models that leave Python: what a model computes at a step, written for other places to run."""

from loopcell.export.step_model import (
    Delay,
    Equations,
    Frames,
    Join,
    Lookup,
    MelBands,
    Output,
    Quantity,
    Softmax,
    StepModel,
    StepRun,
    formula,
    layer_stages,
    step_model_of,
)

__all__ = [
    "Delay",
    "Equations",
    "Frames",
    "Join",
    "Lookup",
    "MelBands",
    "Output",
    "Quantity",
    "Softmax",
    "StepModel",
    "StepRun",
    "formula",
    "layer_stages",
    "step_model_of",
]
