"""Kernel and reference, the same equations twice: outputs, final states and every gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

import loopcell
from loopcell import Recurrent
from loopcell.testing import assert_all_close
from loopcell.testing.case import observe
from tests.kernels.test_laws import ALL
from tests.laws.drawn import cell_of, drawings
from tests.laws.table import case

SIZES = {"input_size": 3, "hidden_size": 37, "steps": 6, "batch": 13}  # units past a block, rows past a group


def both(tried, *, dtype=torch.float64, tolerance=None, **options):
    """Compare the two paths; the fused one is checked to be one."""
    one_width = tried.input_size == tried.hidden_size  # the cell adds its input to its state: layers keep to one width
    net = tried.net(bidirectional=not one_width, num_layers=2, dtype=dtype)
    x, state = tried.inputs().to(dtype), tried.state(net).to(dtype)
    assert net.plan()[0].fused
    fused = observe(net, lambda x, state: net(x, state, **options), x, state)
    with loopcell.backend("reference"):
        assert not net.plan()[0].fused
        expected = observe(net, lambda x, state: net(x, state, **options), x, state)
    assert_all_close(fused, expected, tolerance=tolerance)


@pytest.mark.parametrize("name", [name for name in ALL if "residual" not in name])
def test_double_precision(name):
    tried = case(ALL[name], **SIZES)
    both(tried)
    both(tried, lengths=tried.lengths(), reset=tried.reset())


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_layer_norm", "gru_keeps_before", "min_lstm"])
def test_single_precision(name):
    tried = case(ALL[name], **SIZES)
    both(tried, dtype=torch.float32, tolerance=1e-4, lengths=tried.lengths())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_rows(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        both(case(ALL["lstm"], input_size=3, hidden_size=64, steps=9, batch=31))
    finally:
        torch.set_num_threads(before)


@given(drawing=drawings(), data=st.data())
@settings(max_examples=12)
def test_drawn_equations(drawing, data):
    sizes = {"hidden_size": data.draw(st.sampled_from([1, 5, 17])), "batch": data.draw(st.sampled_from([1, 4]))}
    tried = case(cell_of(drawing), **sizes)
    net = tried.net()
    x, state = tried.inputs(), tried.state(net)
    fused = observe(net, net, x, state)
    with loopcell.backend("reference"):
        assert_all_close(fused, observe(net, net, x, state))


def test_inference_equals_training():
    net = Recurrent(ALL["gru"], 4, 21, num_layers=2)
    x = torch.randn(11, 3, 4)
    y, state = net(x)
    with torch.no_grad():
        again, state_again = net(x)
    assert torch.equal(again, y)
    assert torch.equal(state_again.h, state.h)


def test_weights_that_have_changed_are_seen():
    torch.manual_seed(0)
    net = Recurrent(ALL["lstm"], 4, 5)
    x = torch.randn(3, 2, 4)
    with torch.no_grad():
        before = net(x)[0]
        net.l0.U.i.add_(1.0)
        net.l0.U.f.data.mul_(2.0)  # leaves no trace in the parameter's version
        changed = net(x)[0]
        with loopcell.backend("reference"):
            expected = net(x)[0]
    assert not torch.allclose(changed, before)
    assert torch.allclose(changed, expected, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 1e-42])
@pytest.mark.parametrize("name", ["rnn", "rnn_relu", "lstm", "gru"])
def test_extremes_come_out_as_on_the_reference_path(name, value):
    net = Recurrent(ALL[name], 3, 17)
    x = torch.zeros(2, 2, 3)
    x[1, 0, 1] = value
    with torch.no_grad():
        found = net(x)[0]
        with loopcell.backend("reference"):
            expected = net(x)[0]
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_functions_are_accurate():
    """One step of a cell that is the function, against double precision: within 2 units in the last place."""
    points = torch.cat([torch.linspace(-110, 110, 20001), torch.logspace(-40, 2, 5001), -torch.logspace(-40, 2, 5001)])
    for function in ("tanh", "sigmoid", "exp"):

        @loopcell.cell
        def one(x, h, *, W, function=function):
            return getattr(loopcell, function)(h + 0 * loopcell.sized(x, "hidden"))

        net = Recurrent(one, len(points), len(points))
        with torch.no_grad():
            y = net(torch.zeros(1, 1, len(points)), loopcell.State(h=points.view(1, 1, -1)))[0].view(-1)
        exact = getattr(torch, function)(points.double())
        normal = exact.abs() > 2e-38
        unit = torch.finfo(torch.float32).eps * exact.abs()
        finite = exact.abs() <= torch.finfo(torch.float32).max
        assert ((y.double() - exact).abs()[normal & finite] / unit[normal & finite]).max() <= 2, function
        assert torch.equal(y[~finite], exact[~finite].float()), function
        assert ((y.double() - exact).abs()[~normal] < 3e-45).all(), function


def test_lengths_and_resets_that_are_views():
    """Every second entry of a tensor, and one entry for all: what a kernel reads as memory has to be in one piece."""
    tried = case(ALL["gru"], **SIZES)
    batch, steps = SIZES["batch"], SIZES["steps"]
    lengths = torch.arange(2 * batch)[::2] % (steps + 1)
    resets = torch.zeros(batch, steps, dtype=torch.bool)
    resets[::2, 3] = True
    both(tried, lengths=lengths, reset=resets.T)
    both(tried, lengths=torch.tensor([3]).expand(batch))
