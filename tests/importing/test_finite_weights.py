"""Weights that are no numbers are refused by every importer, and named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from loopcell.errors import FileFormatError
from loopcell.importing import from_onnx, from_torch


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(odd: float) -> None:
    state = {f"encoder.{name}": tensor.clone() for name, tensor in nn.LSTM(3, 4).state_dict().items()}
    state["encoder.weight_hh_l0"][2, 1] = odd
    with pytest.raises(FileFormatError, match=r"has 1 of 64 numbers in `weight_hh_l0` that are NaN or infinite"):
        from_torch(state)


def test_those_of_a_graph_are_too() -> None:
    onnx = pytest.importorskip("onnx")
    weights = {"W": torch.zeros(1, 4, 2), "R": torch.full((1, 4, 4), float("nan"))}
    node = onnx.helper.make_node("RNN", ["x", "W", "R"], ["y"], name="rnn", hidden_size=4)
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [None, 1, 2])],
        [onnx.helper.make_tensor_value_info("y", 1, [None, 1, 1, 4])],
        [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in weights.items()],
    )
    with pytest.raises(FileFormatError, match="that are NaN or infinite"):
        from_onnx(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]))
