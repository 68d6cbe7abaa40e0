"""ONNX graphs with RNN, LSTM and GRU nodes."""

from loopcell.importing.onnx.graph import OnnxGraph
from loopcell.importing.onnx.reading import from_onnx

__all__ = ["OnnxGraph", "from_onnx"]
