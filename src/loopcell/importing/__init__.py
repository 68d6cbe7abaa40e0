"""Importing: weights and models of other systems as networks; what an importer does not understand it refuses by name."""

from loopcell.importing.imported import Imported
from loopcell.importing.keras import from_keras
from loopcell.importing.onnx import from_onnx
from loopcell.importing.torch_state import from_torch

__all__ = ["Imported", "from_keras", "from_onnx", "from_torch"]
