"""Models that leave Python: what a model computes at a step, written for other places to run.

What writes them is imported when first asked for: estimators, which say their step, do not wait for it.
"""

from typing import TYPE_CHECKING

from loopcell.export.step_model import (
    Delay,
    Equations,
    Frames,
    Join,
    Lookup,
    MelBands,
    Output,
    OwnRun,
    Quantity,
    Slice,
    Softmax,
    StepCheck,
    StepModel,
    StepRun,
    formula,
    layer_stages,
    step_model_of,
)
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.export.c import CForm as CForm, CReport as CReport, to_c as to_c
    from loopcell.export.of_files import verify as verify
    from loopcell.export.onnx import (
        OnnxFile as OnnxFile,
        OnnxMetadata as OnnxMetadata,
        OnnxStream as OnnxStream,
        to_onnx as to_onnx,
    )
    from loopcell.export.torch_program import ProgramStream as ProgramStream, to_torch_program as to_torch_program
    from loopcell.export.verifying import Verified as Verified
    from loopcell.export.wasm import WasmReport as WasmReport, WasmStream as WasmStream, to_wasm as to_wasm

__getattr__ = imported_when_asked(
    __name__,
    {
        "c": ("CForm", "CReport", "to_c"),
        "onnx": ("OnnxFile", "OnnxMetadata", "OnnxStream", "to_onnx"),
        "torch_program": ("ProgramStream", "to_torch_program"),
        "of_files": ("verify",),
        "verifying": ("Verified",),
        "wasm": ("WasmReport", "WasmStream", "to_wasm"),
    },
)

__all__ = [
    "CForm",
    "CReport",
    "Slice",
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
    "OwnRun",
    "ProgramStream",
    "Quantity",
    "Softmax",
    "StepCheck",
    "StepModel",
    "StepRun",
    "Verified",
    "WasmReport",
    "WasmStream",
    "formula",
    "layer_stages",
    "step_model_of",
    "to_c",
    "to_onnx",
    "to_torch_program",
    "to_wasm",
    "verify",
]
