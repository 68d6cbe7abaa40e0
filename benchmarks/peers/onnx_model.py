"""torch.nn's weights as an ONNX model of RNN, LSTM and GRU nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from benchmarks.task import Task

OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
ORDERS = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""ONNX's gates (h; i, o, f, c; z, r, h) by their places in torch.nn (h; i, f, g, o; r, z, n)."""
OPSET, IR_VERSION = 21, 10

Array = np.ndarray[Any, np.dtype[np.float32]]


def model(task: Task, *, carries_state: bool = False, has_lengths: bool = False) -> onnx.ModelProto:
    """Write a network as an ONNX model.

    Args:
        task: the network and its weights, and the sizes of its input.
        carries_state: the states before the first step are inputs, initial_h and initial_c (one layer, one direction).
        has_lengths: the rows' lengths are an input, int32 [B].

    Returns:
        A model from x [T, B, I] to y, which is [T, D, B, H] as ONNX has it, and the final states, each [L * D, B, H].
    """
    layers = range(task.module.num_layers)
    optional = [
        *(["lengths"] if has_lengths else []),
        *([f"initial_{name}" for name in task.states] if carries_state else []),
    ]
    nodes = [node for layer in layers for node in _layer(task, layer, optional)]
    nodes += [_stacked(state, [f"{state}{layer}" for layer in layers]) for state in task.states if len(layers) > 1]
    weights = {name: array for layer in layers for name, array in layer_weights(task, layer).items()}
    graph = helper.make_graph(
        nodes,
        task.cell,
        [_input(task, name) for name in ("x", *optional)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in output_sizes(task).items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made)
    return made


def output_sizes(task: Task) -> dict[str, tuple[int, ...]]:
    """Return the sizes of a model's outputs, by name."""
    T, B, _, H = task.sizes
    D = 1 + task.module.bidirectional
    return {"y": (T, D, B, H)} | dict.fromkeys(task.states, (task.module.num_layers * D, B, H))


def layer_weights(task: Task, layer: int) -> dict[str, Array]:
    """Return one layer's W [D, G * H, I], R [D, G * H, H] and B [D, 2 * G * H], gates in ONNX's order."""
    found = task.module.state_dict()
    ways = ("", "_reverse")[: 1 + task.module.bidirectional]

    def of(name: str) -> list[Array]:
        return [reordered(found[f"{name}_l{layer}{way}"], ORDERS[task.cell]) for way in ways]

    biases = [np.concatenate(pair) for pair in zip(of("bias_ih"), of("bias_hh"), strict=True)]
    return {
        f"W{layer}": np.stack(of("weight_ih")),
        f"R{layer}": np.stack(of("weight_hh")),
        f"B{layer}": np.stack(biases),
    }


def reordered(packed: Tensor, order: Sequence[int]) -> Array:
    """Reorder gates that lie one under the other."""
    gates = packed.chunk(len(order))
    return np.concatenate([gates[place].numpy() for place in order])


def _layer(task: Task, layer: int, optional: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the node of a layer, and what brings its output [T, D, B, H] to the next one's input [T, B, D * H]."""
    is_last = layer == task.module.num_layers - 1
    given = {name: name for name in optional}
    read = [f"into{layer}" if layer else "x", f"W{layer}", f"R{layer}", f"B{layer}", given.get("lengths", "")]
    read += [given.get(f"initial_{name}", "") for name in task.states]
    alone = task.module.num_layers == 1
    written = ["y" if is_last else f"y{layer}", *(name if alone else f"{name}{layer}" for name in task.states)]
    attributes: dict[str, Any] = {"hidden_size": task.sizes.H}
    attributes["direction"] = "bidirectional" if task.module.bidirectional else "forward"
    if task.cell == "gru":
        attributes["linear_before_reset"] = 1
    node = helper.make_node(OPERATORS[task.cell], read, written, **attributes)
    return [node] if is_last else [node, *_between(layer)]


def _between(layer: int) -> list[onnx.NodeProto]:
    shape = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "shape")  # 0: as long as before
    return [
        helper.make_node("Transpose", [f"y{layer}"], [f"turned{layer}"], perm=[0, 2, 1, 3]),
        helper.make_node("Constant", [], [f"shape{layer}"], value=shape),
        helper.make_node("Reshape", [f"turned{layer}", f"shape{layer}"], [f"into{layer + 1}"]),
    ]


def _stacked(state: str, parts: Sequence[str]) -> onnx.NodeProto:
    return helper.make_node("Concat", parts, [state], axis=0)


def _input(task: Task, name: str) -> onnx.ValueInfoProto:
    T, B, _, H = task.sizes
    if name == "lengths":
        return helper.make_tensor_value_info(name, TensorProto.INT32, [B])
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [T, B, task.sizes.I] if name == "x" else [1, B, H])
