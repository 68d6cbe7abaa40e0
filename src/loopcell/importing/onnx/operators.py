"""The operators of ONNX that stand around recurrent ones: for each a builder that reads the attributes.

https://onnx.ai/onnx/operators, versions 7 to 28. Attributes are read before anything runs, so that none is overlooked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.errors import FileFormatError, InputError
from loopcell.importing.onnx.node import OnnxNode, Run

LARGEST = 1 << 28
"""Numbers that a tensor may have whose shape is only written in the file."""

_DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""PyTorch's dtypes by TensorProto.DataType."""


def _inputs(given: Sequence[Tensor | None], node: OnnxNode, count: int) -> list[Any]:
    """Return the first inputs, None where one is left out."""
    if not given or given[0] is None:
        raise InputError(f"{node.where} has no input")
    return [*given, *([None] * count)][:count]


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[OnnxNode], Run]:
    return lambda node: lambda given: (function(_inputs(given, node, 1)[0]),)


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[OnnxNode], Run]:
    return lambda node: lambda given: (function(*_inputs(given, node, 2)),)


def _divided(left: Tensor, right: Tensor) -> Tensor:
    return left / right if left.is_floating_point() else torch.div(left, right, rounding_mode="trunc")


def _constant(node: OnnxNode) -> Run:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            value = node.attributes.take(name)
            kind = torch.float32 if "float" in name else torch.int64
            tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=kind)
            return lambda _: (tensor,)
    raise FileFormatError(f"{node.where} holds no value that is read")


def _cast(node: OnnxNode) -> Run:
    code = node.attributes.take("to")
    node.attributes.take_or("saturate", 1)  # of float8 alone, which is refused
    if code not in _DTYPES:
        raise FileFormatError(f"{node.where} casts to type {code} of ONNX, which is not read")
    return lambda given: (_inputs(given, node, 1)[0].to(_DTYPES[code]),)


def _shape(node: OnnxNode) -> Run:
    start, end = node.attributes.take_or("start", 0), node.attributes.take_or("end", None)
    return lambda given: (torch.tensor(list(_inputs(given, node, 1)[0].shape)[start:end], dtype=torch.int64),)


def _axes(node: OnnxNode) -> Callable[[Tensor | None], list[int] | None]:
    """Return what gives the axes: of an attribute before version 13, of the second input since."""
    if node.opset < 13:
        written = node.attributes.take_or("axes", None)
        return lambda _: written
    return lambda given: None if given is None else [int(axis) for axis in given.flatten().tolist()]


def _squeeze(node: OnnxNode) -> Run:
    axes = _axes(node)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, asked = _inputs(given, node, 2)
        named = axes(asked)
        return (x.squeeze() if named is None else x.squeeze(tuple(named)),)

    return run


def _unsqueeze(node: OnnxNode) -> Run:
    axes = _axes(node)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, asked = _inputs(given, node, 2)
        named = axes(asked) or []
        for axis in sorted(axis % (x.ndim + len(named)) for axis in named):
            x = x.unsqueeze(axis)
        return (x,)

    return run


def _transpose(node: OnnxNode) -> Run:
    order = node.attributes.take_or("perm", None)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x = _inputs(given, node, 1)[0]
        return (x.permute(order or list(range(x.ndim))[::-1]),)

    return run


def _reshape(node: OnnxNode) -> Run:
    keeps_zero = node.attributes.flag("allowzero", False)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, shape = _inputs(given, node, 2)
        lengths = [int(length) for length in shape.tolist()]
        if not keeps_zero:  # a 0 stands for the length that is there
            lengths = [x.shape[place] if length == 0 else length for place, length in enumerate(lengths)]
        return (x.reshape(lengths),)

    return run


def _concat(node: OnnxNode) -> Run:
    axis = node.attributes.take("axis")
    return lambda given: (torch.cat([tensor for tensor in given if tensor is not None], axis),)


def _gather(node: OnnxNode) -> Run:
    axis = node.attributes.take_or("axis", 0)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, index = _inputs(given, node, 2)
        index = torch.where(index < 0, index + x.shape[axis], index)
        picked = x.index_select(axis, index.flatten().long())
        at = axis % x.ndim
        return (picked.reshape((*x.shape[:at], *index.shape, *x.shape[at + 1 :])),)

    return run


def _slice(node: OnnxNode) -> Run:
    names = ("starts", "ends", "axes")
    written = [node.attributes.take_or(name, None) for name in names] if node.opset < 10 else None

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, *rest = _inputs(given, node, 5)
        starts, ends, axes, steps = [None if part is None else part.tolist() for part in rest]
        if written is not None:
            starts, ends, axes = written
        if starts is None or ends is None:
            raise InputError(f"{node.where} has no starts and ends")
        axes = list(range(len(starts))) if axes is None else axes
        for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(axes), strict=True):
            places = range(x.shape[axis])[start:end:step]
            x = x.index_select(axis, torch.tensor(places, dtype=torch.int64, device=x.device))
        return (x,)

    return run


def _split(node: OnnxNode) -> Run:
    axis, count = node.attributes.take_or("axis", 0), len(node.outputs)
    node.attributes.take_or("num_outputs", count)
    written = node.attributes.take_or("split", None) if node.opset < 13 else None

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, sizes = _inputs(given, node, 2)
        lengths = written or (None if sizes is None else [int(size) for size in sizes.tolist()])
        return tuple(x.split(lengths or math.ceil(x.shape[axis] / count), axis))

    return run


def _bounded(node: OnnxNode, shape: Tensor) -> list[int]:
    lengths = [int(length) for length in shape.tolist()]
    if math.prod(lengths) > LARGEST:
        raise FileFormatError(f"{node.where} makes a tensor {lengths}, which is larger than {LARGEST:,} numbers")
    return lengths


def _expand(node: OnnxNode) -> Run:
    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x, shape = _inputs(given, node, 2)
        return (x.expand(np.broadcast_shapes(x.shape, tuple(_bounded(node, shape)))),)

    return run


def _constant_of_shape(node: OnnxNode) -> Run:
    value = node.attributes.take_or("value", torch.zeros(1))
    return lambda given: (torch.full(_bounded(node, _inputs(given, node, 1)[0]), value.item(), dtype=value.dtype),)


def _gemm(node: OnnxNode) -> Run:
    alpha, beta = node.attributes.take_or("alpha", 1.0), node.attributes.take_or("beta", 1.0)
    turned = [node.attributes.flag(name, False) for name in ("transA", "transB")]

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        a, b, c = _inputs(given, node, 3)
        product = alpha * ((a.T if turned[0] else a) @ (b.T if turned[1] else b))
        return (product if c is None else product + beta * c,)

    return run


def _softmax(function: Callable[..., Tensor]) -> Callable[[OnnxNode], Run]:
    def build(node: OnnxNode) -> Run:
        axis = node.attributes.take_or("axis", -1 if node.opset >= 13 else 1)

        def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
            x = _inputs(given, node, 1)[0]
            if node.opset >= 13:
                return (function(x, axis),)
            return (function(x.flatten(axis % x.ndim), -1).reshape(x.shape),)  # over all axes from this one on

        return run

    return build


def _flatten(node: OnnxNode) -> Run:
    axis = node.attributes.take_or("axis", 1)

    def run(given: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        x = _inputs(given, node, 1)[0]
        return (x.reshape(math.prod(x.shape[: axis % x.ndim if axis < 0 else axis]), -1),)

    return run


def _dropout(node: OnnxNode) -> Run:
    node.attributes.take_all(("ratio", "seed"))  # of training, which an imported graph does not know
    if sum(map(bool, node.outputs)) > 1:
        raise FileFormatError(f"{node.where} gives its mask to others: export the model for inference")
    return lambda given: (_inputs(given, node, 1)[0],)


OPERATORS: dict[str, Callable[[OnnxNode], Run]] = {
    "Add": _binary(torch.add),
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": _binary(_divided),
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": _unary(lambda x: x),
    "LogSoftmax": _softmax(torch.log_softmax),
    "MatMul": _binary(torch.matmul),
    "Mul": _binary(torch.mul),
    "Relu": _unary(torch.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _unary(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax(torch.softmax),
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": _binary(torch.sub),
    "Tanh": _unary(torch.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

REARRANGING = frozenset(
    {"Cast", "Concat", "Constant", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators through which a recurrent node's weights may come from the weights of the file."""
