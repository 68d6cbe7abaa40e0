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
    Quantity,
    Softmax,
    StepModel,
    StepRun,
    formula,
    layer_stages,
    step_model_of,
)
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.export.c import CForm as CForm, CReport as CReport, to_c as to_c
    from loopcell.export.wasm import WasmReport as WasmReport, WasmStream as WasmStream, to_wasm as to_wasm

__getattr__ = imported_when_asked(
    __name__, {"c": ("CForm", "CReport", "to_c"), "wasm": ("WasmReport", "WasmStream", "to_wasm")}
)

__all__ = [
    "CForm",
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
