"""Models that leave Python: what a model computes at a step, written for other places to run."""

from loopcell.export.onnx import OnnxFile, OnnxMetadata, OnnxStream, to_onnx
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
from loopcell.export.torch_program import ProgramStream, to_torch_program
from loopcell.export.verifying import Verified, verify

__all__ = [
    "Delay",
    "Equations",
    "Frames",
    "Join",
    "Lookup",
    "MelBands",
    "OnnxFile",
    "OnnxMetadata",
    "OnnxStream",
    "Output",
    "ProgramStream",
    "Quantity",
    "Softmax",
    "StepModel",
    "StepRun",
    "Verified",
    "formula",
    "layer_stages",
    "step_model_of",
    "to_onnx",
    "to_torch_program",
    "verify",
]
