"""Steps on narrow weights give what the network gives whose matrices were rounded by hand."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import loopcell
from loopcell import GRU, LSTM, RNN, Recurrent, cell, cells, sigmoid, tanh
from loopcell.errors import InputError, TensorError, UsageError
from loopcell.runtime import dispatch, narrow as narrow_room
from tests.kernels.test_laws import ALL
from tests.laws.table import case

WIDTHS = ("bf16", "int8")
TOLERANCE = {"bf16": 2e-5, "int8": 1e-3}
"""Of values around 1. In int8 an operand is rounded too, to 14 bits where the CPU multiplies no whole digits of 8."""


def rounded_by_hand(matrix, width):
    """Numbers of a matrix as a kernel has them: int8 with a scale for each row, or the upper half of a float."""
    numbers = matrix.detach().numpy().astype(np.float64)
    if width == "bf16":
        words = matrix.detach().numpy().astype(np.float32).view(np.uint32).astype(np.uint64)
        even = words + 0x7FFF + ((words >> 16) & 1)  # to the nearest, and of two as near to the even one
        found = ((even >> 16) << 16).astype(np.uint32).view(np.float32)
    else:
        scale = (np.abs(numbers).max(axis=1, keepdims=True) / 127).astype(np.float32).astype(np.float64)
        found = np.rint(numbers / scale) * scale
    return torch.from_numpy(np.ascontiguousarray(found)).to(matrix.dtype)


def matrices_of(net):
    """Names of the parameters that products of a step read, from the equations."""
    graph = net.spec.executables[0].evaluation().programs.fused.core
    products = [node for node in graph.nodes if node.op == "matmul"]
    return {graph.nodes[node.args[0]].name for node in products}


def with_rounded_matrices(net, width):
    other = copy.deepcopy(net)
    for layer in range(net.num_layers):
        for name, value in net.weights(layer, 0).items():
            if name in matrices_of(net):
                other.assign(layer, 0, name, rounded_by_hand(value, width))
    return other


def steps_of(stepper, x, **inputs):
    return torch.stack([stepper.step(now, **{k: v[t] for k, v in inputs.items()}).clone() for t, now in enumerate(x)])


def assert_the_same(net, width, x, state=None, **inputs):
    stepper = net.stepper(x.shape[1], state, weights=width)
    assert stepper.fused
    full = with_rounded_matrices(net, width).stepper(x.shape[1], state)
    torch.testing.assert_close(
        steps_of(stepper, x, **inputs),
        steps_of(full, x, **inputs),
        rtol=TOLERANCE[width],
        atol=TOLERANCE[width],
        equal_nan=True,
    )
    for name, tensor in stepper.state.items():
        torch.testing.assert_close(tensor, full.state[name], rtol=TOLERANCE[width], atol=TOLERANCE[width])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ALL)
def test_every_cell_is_the_one_with_rounded_matrices(name, width):
    tried = case(ALL[name], input_size=5, hidden_size=19, batch=3, steps=6)
    net = tried.net(dtype=torch.float32)
    widths = {name: further.width for name, further in net.spec.further.items()}
    x, *rest = tried.inputs().float().split([net.input_size, *widths.values()], -1)
    assert_the_same(net, width, x, tried.state(net).to(torch.float32), **dict(zip(widths, rest, strict=True)))
