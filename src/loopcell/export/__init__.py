"""Models that leave Python: what a model computes at a step, written for other places to run."""

from loopcell.export.c import CReport, to_c
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
from loopcell.export.wasm import WasmReport, WasmStream, to_wasm

__all__ = [
    "CReport",
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
    "WasmReport",
    "WasmStream",
    "formula",
    "layer_stages",
    "step_model_of",
    "to_c",
    "to_wasm",
]
