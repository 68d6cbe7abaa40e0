"""Models as ONNX files: written, checked, and run with a state that cannot be forgotten."""

from loopcell.export.onnx.file import OnnxFile
from loopcell.export.onnx.metadata import OnnxMetadata
from loopcell.export.onnx.stream import OnnxStream
from loopcell.export.onnx.write import to_onnx

__all__ = ["OnnxFile", "OnnxMetadata", "OnnxStream", "to_onnx"]
