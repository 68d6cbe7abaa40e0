"""What is asked for holds where the run comes later, and dtypes that autocast leaves alone are never mixed."""

from __future__ import annotations

import threading

import pytest
import torch

from loopcell import GRU, LSTM, Recurrent, State, backend
from loopcell.errors import LoopcellError


@pytest.mark.parametrize("asked", ["auto", "c", "native", "reference"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_segments_are_computed_again_on_the_same_back_end(asked, elsewhere):
    net = GRU(3, 4).double()
    x = torch.randn(16, 2, 3, dtype=torch.float64, requires_grad=True)
    with backend("reference"):
        net(x)[0].square().sum().backward()
    expected, x.grad = x.grad, None
    net.gradient_checkpointing_enable()
    with backend(asked):
        y = net(x)[0].square().sum()
    if elsewhere:
        thread = threading.Thread(target=y.backward)
        thread.start()
        thread.join()
    else:
        y.backward()
    assert torch.allclose(x.grad, expected)


def mixed_calls():
    double = torch.randn(3, 2, 3, dtype=torch.float64)
    yield LSTM(3, 4), (double,), {}
    yield Recurrent("gru", 3, 4).double(), (double, State(h=torch.zeros(1, 2, 4))), {}
    times = torch.rand(3, 2, 1)
    yield Recurrent("lstm_time_aware", 3, 4).double(), (double,), {"dt": times}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("asked", ["auto", "c", "native", "reference"])
def test_autocast_leaves_float64_alone_so_nothing_is_mixed_with_it(asked, number):
    net, given, named = list(mixed_calls())[number]
    with backend(asked), torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(LoopcellError, match=r"convert|no"):
        net(*given, **named)

