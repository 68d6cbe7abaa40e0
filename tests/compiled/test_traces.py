"""Traces of a network: torch.jit.trace, make_fx, torch.export. They stand here, for the shape checks of the other run
refuse the sizes with which tracers stand for numbers.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import loopcell
from loopcell import Recurrent
from tests.kernels.test_observers import UNITS, WIDTH, expected, gradients, history, net, x

__all__ = ["history", "net", "x"]  # fixtures


@pytest.fixture(autouse=True)
def _kernels():
    with loopcell.backend("auto"):
        yield


def demand_one_operator(net):
    """Leave out what runs as PyTorch operations: a trace has them step by step, for one length."""
    if net.plan()[0].backend == "reference":
        pytest.skip("torch has no operator for these equations")


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_jit_trace(net, history, x, grad):
    history(net, x)
    demand_one_operator(net)
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(Output(net), x)
        longer = torch.randn(3 * x.shape[0], 2 * x.shape[1], WIDTH)
        for given in (x, longer):
            torch.testing.assert_close(traced(given), expected(net, given)[0])
    with torch.enable_grad():  # whether or not gradients were traced
        given = x.clone().requires_grad_()
        torch.testing.assert_close(
            gradients(traced(given), net, given), gradients(expected(net, given)[0], net, given), rtol=1e-4, atol=1e-5
        )


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
class TestTracesOfCallsWithMore:
    """What a trace holds is the call, not the example: other T, B, lengths, resets, states and draws."""

    net = loopcell.LSTM(WIDTH, UNITS, 2, bidirectional=True)

    def agree(self, run, example, *others):
        traced = torch.jit.trace(Run(run, self.net), example)
        for given in (example, *others):
            torch.testing.assert_close(traced(*given), run(self.net, *given))

    def test_lengths(self):
        others = [(torch.randn(T, len(n), WIDTH), torch.tensor(n)) for T, n in ((7, [1, 7, 4]), (9, [9, 9]), (3, [0]))]
        example = torch.randn(5, 2, WIDTH), torch.tensor([5, 3])
        self.agree(lambda net, x, lengths: net(x, lengths=lengths)[0], example, *others)

        def packed(net, x, lengths):
            y, _ = net(pack_padded_sequence(x, lengths, enforce_sorted=False))
            return pad_packed_sequence(y)[0]

        self.agree(packed, example, *others[:2])

    def test_resets(self):
        example, other = ((torch.randn(T, B, WIDTH), torch.rand(T, B) > 0.5) for T, B in ((5, 2), (7, 3)))
        self.agree(lambda net, x, reset: net(x, reset=reset)[0], example, other)

    def test_states(self):
        example, other = ((torch.randn(T, B, WIDTH), torch.randn(2, 4, B, UNITS)) for T, B in ((5, 2), (7, 3)))
        self.agree(lambda net, x, state: net(x, tuple(state))[1], example, other)

    def test_one_sequence(self):
        self.agree(lambda net, x: net(x)[0], (torch.randn(5, WIDTH),), (torch.randn(8, WIDTH),))

    def test_half_precision(self):
        example, other = ((torch.randn(T, B, WIDTH).bfloat16(),) for T, B in ((5, 2), (6, 3)))
        self.net.bfloat16()
        self.agree(lambda net, x: net(x)[0], example, other)
        self.net.float()

    def test_gradient_checkpointing(self):
        self.net.gradient_checkpointing_enable(2)
        self.agree(lambda net, x: net(x)[0], (torch.randn(5, 2, WIDTH),), (torch.randn(9, 2, WIDTH),))
        self.net.gradient_checkpointing_disable()

    @pytest.mark.parametrize("kind", ["dropout", "zoneout"])
    def test_draws(self, kind):
        zoneout = loopcell.cells.zoneout(loopcell.cells.get("lstm"), 0.3)
        net = loopcell.GRU(WIDTH, UNITS, 2, dropout=0.5) if kind == "dropout" else Recurrent(zoneout, WIDTH, UNITS)
        traced = torch.jit.trace(Output(net), (torch.randn(5, 2, WIDTH),), check_trace=False)
        found, x = [], torch.randn(6, 3, WIDTH)
        for run in (traced, Output(net)):
            torch.manual_seed(0)
            found.append(run(x))
        torch.testing.assert_close(*found)
        assert not torch.equal(traced(x), traced(x))


class Run(nn.Module):
    def __init__(self, run, net):
        super().__init__()
        self.run, self.net = run, net

    def forward(self, *given):
        return self.run(self.net, *given)


class Output(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[0]


@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
def test_make_fx(net, history, x, tracing_mode):
    history(net, x)
    demand_one_operator(net)
    other = torch.randn(x.shape)
    with torch.no_grad():
        graph = make_fx(lambda x: net(x)[0], tracing_mode=tracing_mode, _allow_non_fake_inputs=True)(x)
        torch.testing.assert_close(graph(other), expected(net, other)[0])
    assert "loopcell" in graph.code
    graph = make_fx(
        lambda x: torch.autograd.grad(net(x)[0].square().sum(), [x])[0],
        tracing_mode=tracing_mode,
        _allow_non_fake_inputs=True,
    )(x.clone().requires_grad_())
    other.requires_grad_()
    wanted = torch.autograd.grad(expected(net, other)[0].square().sum(), other)[0]
    torch.testing.assert_close(graph(other), wanted, rtol=1e-4, atol=1e-5)


def test_export(net, history, x):
    history(net, x)
    program = torch.export.export(Output(net), (x,)).module()
    other = torch.randn(x.shape)
    torch.testing.assert_close(program(other), expected(net, other)[0])
