"""Importing: weights and models of other systems as networks; what is not understood is refused by name."""

from loopcell.importing.chain import Chain
from loopcell.importing.imported import Imported
from loopcell.importing.keras import from_keras
from loopcell.importing.nam import from_nam, to_nam
from loopcell.importing.neuralhydrology import HydrologyNetwork, from_neuralhydrology
from loopcell.importing.onnx import OnnxGraph, from_onnx
from loopcell.importing.rtneural import from_rtneural, to_rtneural
from loopcell.importing.torch_state import from_torch

__all__ = [
    "Chain",
    "HydrologyNetwork",
    "Imported",
    "OnnxGraph",
    "from_keras",
    "from_nam",
    "from_neuralhydrology",
    "from_onnx",
    "from_rtneural",
    "from_torch",
    "to_nam",
    "to_rtneural",
]
