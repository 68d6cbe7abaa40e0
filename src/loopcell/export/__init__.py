"""Models that leave Python: what a model computes at a step, written for other places to run."""

from loopcell.export.models import as_step_model
from loopcell.export.onnx import OnnxFile, OnnxMetadata, OnnxStream, to_onnx
from loopcell.export.step_model import Delay, Equations, Lookup, Output, Quantity, Softmax, StepModel, StepRun
from loopcell.export.torch_program import ProgramStream, to_torch_program
from loopcell.export.verifying import Verified, verify

__all__ = [
    "Delay",
    "Equations",
    "Lookup",
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
    "as_step_model",
    "to_onnx",
    "to_torch_program",
    "verify",
]
