"""Start values that are meant for a long memory: each cell gets those that fit its equations."""

import pytest
import torch

from loopcell import Recurrent, cell, tanh
from loopcell.comparison.starts import begin_with_memory

NAMES = {
    "rnn": "orthogonal",
    "gru": "orthogonal, chrono",
    "lstm": "orthogonal, chrono",
    "min_gru": "chrono",
    "indrnn": "uniform",
    "min_lstm": "as torch.nn",
}


@pytest.mark.parametrize("name", NAMES)
def test_each_cell_gets_its_own(name):
    torch.manual_seed(0)
    net = Recurrent(name, 3, 16)
    before = [parameter.clone() for parameter in net.parameters()]
    assert begin_with_memory(net, 50) == NAMES[name]
    changed = any((a != b).any() for a, b in zip(before, net.parameters(), strict=True))
    assert changed == (NAMES[name] != "as torch.nn")


def test_what_they_are():
    torch.manual_seed(0)
    rnn, lstm, indrnn = (Recurrent(name, 3, 64) for name in ("rnn", "lstm", "indrnn"))
    for net in (rnn, lstm, indrnn):
        begin_with_memory(net, 40)
    torch.testing.assert_close(rnn.l0.U.h @ rnn.l0.U.h.T, torch.eye(64), atol=1e-5, rtol=0)
    scales = lstm.l0.b.f.exp()  # 1 / (1 - f) is 1 + exp(b)
    assert 1 <= scales.min() < 10
    assert 30 < scales.max() <= 39
    assert 0 <= indrnn.l0.u.h.min() < 0.1
    assert 0.9 < indrnn.l0.u.h.max() <= 1


def test_a_factor_of_something_else_than_the_state_stays():
    @cell
    def scaled(x, h, *, W, s):
        return tanh(W.h @ x * s.x + h)

    net = Recurrent(scaled, 2, 4)
    before = net.l0.s.x.clone()
    assert begin_with_memory(net, 9) == "as torch.nn"
    assert (net.l0.s.x == before).all()
