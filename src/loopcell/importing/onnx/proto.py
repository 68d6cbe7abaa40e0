"""Reading ONNX's protobuf: files, tensors and attributes, with nothing outside of the file itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from loopcell.errors import FileFormatError, InputError, escaped
from loopcell.files.extras import require

OLDEST_OPSET, NEWEST_OPSET = 7, 28
"""The versions of ONNX's operators that are read; before 7 the recurrent ones were others."""

_ERRORS = (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, MemoryError, OverflowError)
"""What onnx and NumPy raise for a tensor that is not what it says."""


def read_model(source: object) -> Any:
    """Return a checked ModelProto.

    Args:
        source: a path, or a ModelProto.

    Raises:
        FileFormatError: it is no ONNX model, a damaged one, or one with parts that are not read.
        MissingExtraError: the onnx package is not installed.
        InputError: the source is neither.
    """
    onnx = require("onnx", "onnx", "ONNX models need")
    if isinstance(source, onnx.ModelProto):
        model, where = source, "the model"
    elif isinstance(source, str | os.PathLike):
        where = str(source)
        model = _parsed(onnx, Path(source))
    else:
        raise InputError(f"an ONNX model is a path or a ModelProto, not {type(source).__name__}")
    _check(onnx, model, where)
    return model


def _parsed(onnx: Any, path: Path) -> Any:
    decode_error = importlib.import_module("google.protobuf.message").DecodeError  # onnx brings it
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}")
    try:
        # Weights in files beside it are named by paths, which a file from elsewhere may point anywhere.
        return onnx.load(path, load_external_data=False)
    except (decode_error, OSError, *_ERRORS) as error:
        raise FileFormatError(f"{path} is not an ONNX model, or not a whole one") from error


def _check(onnx: Any, model: Any, where: str) -> None:
    opset(model, where)
    for holder, what in ((model.functions, "functions"), (model.training_info, "training_info")):
        if len(holder):
            raise FileFormatError(f"{where} has {what} of its own, which are not read: export it without")
    if len(model.graph.sparse_initializer):
        raise FileFormatError(f"{where} has sparse weights, which are not read: export them as plain tensors")
    for tensor in model.graph.initializer:
        _refuse_external(tensor, where)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, *_ERRORS) as error:
        reason = escaped(str(error).partition("\n")[0], 200)
        raise FileFormatError(f"{where} is no valid ONNX model: {reason}") from error


def opset(model: Any, where: str) -> int:
    """Return the version of ONNX's own operators that a model asks for.

    Raises:
        FileFormatError: it names none, or one that is not read.
    """
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or not OLDEST_OPSET <= versions[0] <= NEWEST_OPSET:
        raise FileFormatError(
            f"{where} asks for version {versions} of ONNX's operators; {OLDEST_OPSET} to {NEWEST_OPSET} are read: "
            "convert it with onnx.version_converter"
        )
    return int(versions[0])


def _refuse_external(tensor: Any, where: str) -> None:
    if tensor.data_location or len(tensor.external_data):
        raise FileFormatError(
            f"`{escaped(tensor.name, 80)}` of {where} lies in another file: "
            "load it with onnx.load, which reads both, and pass the model"
        )


def as_tensor(tensor: Any, where: str) -> Tensor:
    """Return a TensorProto as a tensor in memory of its own.

    Raises:
        FileFormatError: it is not what it says, or of a type that PyTorch has not.
    """
    from onnx import numpy_helper

    _refuse_external(tensor, where)
    try:
        array = numpy_helper.to_array(tensor)
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.astype("float32")).bfloat16()
        return torch.from_numpy(array.copy())
    except _ERRORS as error:
        raise FileFormatError(f"the tensor `{escaped(tensor.name, 80)}` of {where} cannot be read: {error}") from error


_READ: dict[str, Callable[[Any], Any]] = {
    "FLOAT": lambda entry: float(entry.f),
    "INT": lambda entry: int(entry.i),
    "STRING": lambda entry: entry.s.decode("utf-8", "replace"),
    "FLOATS": lambda entry: [float(value) for value in entry.floats],
    "INTS": lambda entry: [int(value) for value in entry.ints],
    "STRINGS": lambda entry: [value.decode("utf-8", "replace") for value in entry.strings],
}


def attributes_of(node: Any, where: str) -> dict[str, Any]:
    """Return a node's attributes by name, as numbers, texts, lists of them, and tensors.

    Raises:
        FileFormatError: one is of another kind, such as a graph.
    """
    found: dict[str, Any] = {}
    for entry in node.attribute:
        kind = entry.AttributeType.Name(entry.type)
        if kind == "TENSOR":
            found[entry.name] = as_tensor(entry.t, where)
        elif kind in _READ:
            found[entry.name] = _READ[kind](entry)
        else:
            raise FileFormatError(f"{where} has the attribute `{escaped(entry.name, 80)}`, a {kind}: it is not read")
    return found
