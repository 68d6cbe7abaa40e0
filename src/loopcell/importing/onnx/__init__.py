"""ONNX graphs with RNN, LSTM and GRU nodes."""

from loopcell.importing.onnx.reading import from_onnx

__all__ = ["from_onnx"]
