"""Products in bfloat16, where the CPU multiplies it: what is multiplied is rounded, sums are float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import loopcell
from loopcell.backends.c.toolchain.target import has_bf16
from tests.kernels.test_laws import ALL
from tests.laws.table import case

pytestmark = pytest.mark.skipif(not has_bf16(), reason="this CPU, or the target, has no products of bfloat16")



@pytest.fixture(autouse=True)
def _pairs(monkeypatch):
    """Also where another unit is faster."""
    monkeypatch.setenv("LOOPCELL_BF16", "avx512")


SIZES = [(3, 37), (32, 64), (17, 15)]
"""I and H: odd depths, whole vectors, less than one."""


def rounded(tensor):
    return tensor.bfloat16().to(tensor.dtype)


def lstm_by_hand(net, x):
    """The equations in double precision, with the operands of every product rounded."""
    w, u = (rounded(getattr(net, f"weight_{name}_l0").double()) for name in ("ih", "hh"))
    b = (net.bias_ih_l0 + net.bias_hh_l0).double()
    h = c = x.new_zeros(x.shape[1], net.hidden_size, dtype=torch.float64)
    steps = []
    for now in x.double():
        i, f, g, o = (rounded(now) @ w.t() + rounded(h.float()).double() @ u.t() + b).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps)


@pytest.mark.parametrize(("inner", "hidden"), SIZES)
@pytest.mark.parametrize("batch", [1, 7, 30])
def test_products_are_rounded_and_nothing_else(inner, hidden, batch):
    torch.manual_seed(0)
    net = loopcell.LSTM(inner, hidden)
    x = torch.randn(9, batch, inner)
    expected = lstm_by_hand(net, x)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)[0]
    assert "products in bfloat16" in str(net.bfloat16().plan()[0])
    assert (y.double() - expected).abs().max() < 2**-8  # the result's own rounding, and h's at a boundary


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_layer_norm", "lstm_peephole", "mgu"])
def test_results_and_gradients_are_near_those_of_single_precision(name):
    tried = case(ALL[name], steps=12, batch=7, input_size=5, hidden_size=37)
    single = tried.net(dtype=torch.float32)
    half = tried.net().bfloat16()
    half.load_state_dict(single.state_dict())
    single.load_state_dict(half.state_dict())
    masks = {"lengths": tried.lengths(), "reset": tried.reset()}
    weights = torch.randn(12, 7, single.output_size)
    found = []
    for net, dtype in ((single, torch.float32), (half, torch.bfloat16)):
        x = tried.inputs().to(dtype).requires_grad_()
        y, _ = net(x, **masks)
        (y.float() * weights).sum().backward()
        found.append([y.float(), x.grad.float(), *(weight.grad.float() for weight in net.parameters())])
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() < 0.03 * one.norm() + 1e-3


def test_errors_are_no_larger_than_those_of_torch():
    torch.manual_seed(0)
    theirs = nn.LSTM(64, 128)
    truth = nn.LSTM(64, 128).double()
    x = torch.randn(50, 8, 64).bfloat16()
    theirs.bfloat16()
    truth.load_state_dict(theirs.state_dict())
    ours = loopcell.LSTM(64, 128).bfloat16()
    ours.load_state_dict(theirs.state_dict())
    found = []
    for net in (truth, theirs, ours):
        given = x.to(next(net.parameters()).dtype)
        y, _ = net(given)
        y.double().square().sum().backward()
        found.append([y.double(), *(weight.grad.double() for weight in net.parameters())])
    for exact, torchs, our in zip(*found, strict=True):
        assert (our - exact).norm() < 1.1 * (torchs - exact).norm()
