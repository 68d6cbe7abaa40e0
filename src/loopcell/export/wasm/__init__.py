"""Models in a browser: the C of a model's step as WebAssembly, JavaScript around it, and a page that runs it."""

from loopcell.export.wasm.export import WasmReport, to_wasm
from loopcell.export.wasm.stream import WasmStream

__all__ = ["WasmReport", "WasmStream", "to_wasm"]
