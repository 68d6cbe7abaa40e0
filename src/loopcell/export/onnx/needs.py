"""The optional packages of this room."""

from __future__ import annotations

import importlib
from types import ModuleType

from loopcell.errors import MissingExtraError


def require_onnx(module: str, what: str) -> ModuleType:
    """Import onnx or onnxruntime.

    Args:
        module: its name.
        what: what needs it, as the start of a sentence.

    Raises:
        MissingExtraError: it is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: its shared library is missing
        raise MissingExtraError(f'{what} {module.partition(".")[0]}: pip install "loopcell[onnx]"') from error
