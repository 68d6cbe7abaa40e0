"""ONNX models of one recurrent node, with everything that the operator can be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
OPSET = 22


def model(
    nodes: list[Any], tensors: dict[str, np.ndarray], inputs: dict[str, Any], outputs: dict[str, int]
) -> ModelProto:
    """Return a model; `inputs` are arrays of the types that go in, outputs are floats of so many axes."""
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32,
             np.dtype(np.int64): TensorProto.INT64}  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, kinds[value.dtype], _axes(name, value.ndim))
            for name, value in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, _axes(name, ndim)) for name, ndim in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def _axes(name: str, ndim: int) -> list[str]:
    return [f"{name}_{axis}" for axis in range(ndim)]


def recurrent(
    op, rng, *, T=5, B=3, features=4, H=6, directions=1, bias=True, peepholes=False, lengths=False, states=False,
    layout=0, **attributes,
):  # fmt: skip
    """Return a model of one node and arrays for its inputs."""
    rows = GATES[op] * H

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    tensors = {"W": draw(directions, rows, features), "R": draw(directions, rows, H) / 2}
    if bias:
        tensors["B"] = draw(directions, 2 * rows)
    if peepholes:
        tensors["P"] = draw(directions, 3 * H)
    inputs = {"X": draw(B, T, features) if layout else draw(T, B, features)}
    if lengths:
        inputs["sequence_lens"] = rng.integers(1, T + 1, B).astype(np.int32)
    if states:
        shape = (B, directions, H) if layout else (directions, B, H)
        inputs["initial_h"] = draw(*shape)
        if op == "LSTM":
            inputs["initial_c"] = draw(*shape)
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if op == "LSTM" else [])]
    outputs = {"Y": 4, "Y_h": 3} | ({"Y_c": 3} if op == "LSTM" else {})
    given = [name if name in tensors or name in inputs else "" for name in names]
    node = helper.make_node(op, given, list(outputs), hidden_size=H, name="rec", **attributes)
    if layout:
        node.attribute.append(helper.make_attribute("layout", layout))
    return model([node], tensors, inputs, outputs), inputs
