"""Calls on Triton kernels: what they take, what they record and save, and what goes to PyTorch operations instead."""

from __future__ import annotations

import re

import pytest
import torch

import loopcell
from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.backends.triton import KINDS, DeviceLimits, KernelChoice, choose, forced
from loopcell.backends.triton.codegen.layout import forward_loop, reverse_loop
from loopcell.backends.triton.toolchain import device
from loopcell.errors import TensorError, UsageError
from loopcell.passes import build_program


def gradients(net, x, **options):
    y, final = net(x, **options)
    states = final if isinstance(final, torch.Tensor) else torch.cat(list(final.values()), -1)
    loss = (y * torch.linspace(0.0, 1.0, y.numel()).view(y.shape)).sum() + states.sum()
    return torch.autograd.grad(loss, [x, *net.parameters()])


def assert_same(found, expected, tolerance=1e-5):
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(2, 0), (1, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_and_one_of_each(shape, kind):
    net, x = Recurrent(cells.get("mgu"), 3, 5), torch.randn(*shape, 3, requires_grad=True)
    with forced(KernelChoice(kind)):
        found = net(x)[0], *gradients(net, x)
    with loopcell.backend("reference"):
        assert_same(found, (net(x)[0], *gradients(net, x)))


@pytest.mark.parametrize("kind", ["resident", "stepped"])
def test_gates_are_recorded(kind):
    net, x = GRU(3, 5, num_layers=2, bidirectional=True), torch.randn(4, 2, 3)
    with forced(KernelChoice(kind)):
        seen = net.record(x, "z", "h", lengths=torch.tensor([4, 1]))
    with loopcell.backend("reference"):
        plain = net.record(x, "z", "h", lengths=torch.tensor([4, 1]))
    for name in ("z", "h"):
        assert_same(seen[name], plain[name])


def test_draws_are_those_of_the_reference_path():
    cell = cells.weight_dropout(cells.zoneout(cells.get("rnn"), {"h": 0.3}), 0.5)
    net, x = Recurrent(cell, 3, 5).train(), torch.randn(4, 2, 3, requires_grad=True)
    torch.manual_seed(1)
    found = gradients(net, x)
    torch.manual_seed(1)
    with loopcell.backend("reference"):
        assert_same(found, gradients(net, x))


def test_views_are_read_as_what_they_are():
    net = LSTM(3, 5, batch_first=True)
    x = torch.randn(3, 8, 2).transpose(0, 2)[:, ::2].requires_grad_()
    state = torch.randn(1, 1, 5).expand(1, 2, 5)
    lengths = torch.tensor([4, 0, 2, 0])[::2]
    found = gradients_with(net, x, state, lengths)
    with loopcell.backend("reference"):
        assert_same(found, gradients_with(net, x, state, lengths))


def gradients_with(net, x, state, lengths):
    y, (h, c) = net(x, (state, state), lengths=lengths)
    return torch.autograd.grad(y.sum() + (h * c).sum(), [x, *net.parameters()])


def test_an_output_that_is_written_to_does_not_spoil_the_gradient():
    net, x = GRU(3, 5), torch.randn(4, 2, 3, requires_grad=True)

    def written():
        y = net(x)[0]
        y.mul_(2.0)
        return torch.autograd.grad(y.sum(), [x, *net.parameters()])

    found = written()
    with loopcell.backend("reference"):
        assert_same(found, written())


def test_a_hook_may_put_what_is_saved_elsewhere_but_not_change_it():
    net, x = GRU(3, 5), torch.randn(4, 2, 3, requires_grad=True)
    plain = gradients(net, x)
    turned = torch.autograd.graph.saved_tensors_hooks(
        lambda t: t.clone(), lambda t: t.mT.clone().mT if t.dim() > 1 else t
    )
    with turned:
        assert_same(gradients(net, x), plain)
    cut = torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t[..., :1] if t.dim() == 3 else t)
    with cut:
        y = net(x)[0]
    with pytest.raises(TensorError, match="was saved for the gradient"):
        y.sum().backward()


def test_a_second_derivative_is_of_pytorch_operations():
    net, x = Recurrent(cells.get("rnn"), 3, 5), torch.randn(3, 2, 3, requires_grad=True)

    def second():
        first = torch.autograd.grad(net(x)[0].square().sum(), net.parameters(), create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), [x, *net.parameters()])

    with pytest.raises(UsageError, match="gradient of a gradient"):
        second()
    y = net(x)[0].square().sum()
    with loopcell.backend("auto"), pytest.raises(UsageError, match="gradient of a gradient"):
        torch.autograd.grad(y, net.parameters(), create_graph=True)  # kernels were demanded when it ran forward


def test_second_derivatives_agree_where_nothing_is_demanded(monkeypatch):
    from loopcell.runtime import on_triton

    monkeypatch.setattr(on_triton, "demanded", lambda: None)
    net, x = Recurrent(cells.get("rnn"), 3, 5), torch.randn(3, 2, 3, requires_grad=True)

    def second():
        y = net(x)[0].square().sum()
        with loopcell.backend("auto"):
            first = torch.autograd.grad(y, net.parameters(), create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), [x, *net.parameters()])

    found = second()
    with loopcell.backend("reference"):
        assert_same(found, second(), tolerance=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 1e-42])
@pytest.mark.parametrize("name", ["rnn_relu", "lstm"])
def test_extremes_come_out_as_on_the_reference_path(name, value):
    net = Recurrent(cells.get(name), 3, 5)
    x = torch.zeros(2, 2, 3)
    x[1, 0, 1] = value
    with torch.no_grad():
        found = net(x)[0]
        with loopcell.backend("reference"):
            expected = net(x)[0]
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("function", ["tanh", "sigmoid", "exp", "softplus", "log", "sqrt", "relu"])
def test_functions_are_accurate(function):
    """One step of a cell that is the function, against double precision, in units in the last place."""
    points = torch.cat([torch.linspace(-87, 88, 3001), torch.logspace(-30, 1.9, 2001), -torch.logspace(-30, 1.9, 2001)])
    points = points.abs() if function in ("log", "sqrt") else points
    points = torch.cat([points, torch.tensor([float("nan")])])

    @loopcell.cell
    def one(x, h, *, W, function=function):
        return getattr(loopcell, function)(h + 0 * loopcell.sized(x, "hidden"))

    net = Recurrent(one, len(points), len(points))
    with torch.no_grad(), forced(KernelChoice("stepped", units=4096)):
        y = net(torch.zeros(1, 1, len(points)), loopcell.State(h=points.view(1, 1, -1)))[0].view(-1)
    assert y[-1].isnan()
    points, y = points[:-1].double(), y[:-1].double()
    exact = (
        torch.nn.functional.softplus(points, threshold=1e9)
        if function == "softplus"
        else getattr(torch, function)(points)
    )
    finite = exact.isfinite() & (exact.abs() > 1e-37)
    error = ((y - exact).abs() / (torch.finfo(torch.float32).eps * exact.abs()))[finite]
    assert error.max() <= (64 if function == "sigmoid" else 3)  # far on the left, e^x alone, in which x has rounded


# -- the path ---------------------------------------------------------------------------------------------------------


def test_the_plan_names_the_kinds_of_kernels():
    assert "resident" in GRU(3, 64).plan()[0].reason
    assert "persistent" in GRU(3, 512).plan()[0].reason
    assert "stepped" in GRU(3, 2048).plan()[0].reason


def test_the_choice_goes_by_shape_and_device():
    program = build_program(cells.get("lstm").graph, training=True)
    loop, gpu = forward_loop(program, saves=True), DeviceLimits(132, 232448)

    def kind(hidden, batch, steps=100, itemsize=4, limits=gpu, loop=loop):
        return choose(loop, {"hidden": hidden, "input": 8}, batch, steps, itemsize, limits).kind

    assert kind(32, 4096) == "resident"
    assert kind(64, 4096) == "streamed"
    assert kind(256, 4096) == "streamed"
    assert kind(256, 16) == "persistent"
    assert kind(2048, 16) == "stepped"
    assert kind(256, 16, steps=1) == "stepped"
    assert (
        kind(256, 16, limits=DeviceLimits(20, 49152)) != "persistent"
    )  # shared memory too small for a block's weights
    assert kind(32, 16, limits=DeviceLimits(20, 8192)) != "resident"
    assert kind(128, 16, itemsize=2) == "resident"
    assert kind(128, 16, itemsize=2, loop=reverse_loop(program)) != "resident"


def test_what_stands_against_kernels_is_said(monkeypatch):
    net, x = GRU(3, 5), torch.randn(2, 2, 3)
    monkeypatch.setattr(device, "interpreting", lambda: False)
    with pytest.raises(UsageError, match=re.escape("Triton kernels are for CUDA GPUs, and the tensors are on cpu")):
        net(x)
    monkeypatch.setattr(device, "version", lambda: None)
    with pytest.raises(UsageError, match=re.escape("triton is not installed; pip install loopcell[gpu]")):
        net(x)


def test_an_old_gpu_is_told_so(monkeypatch):
    monkeypatch.setattr(device, "interpreting", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda where: (7, 5))
    assert device.device_obstacle(torch.device("cuda:0")) == (
        "the GPU has compute capability 7.5, and Triton kernels need 8.0",
        "use a newer GPU",
    )
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda where: (9, 0))
    assert device.device_obstacle(torch.device("cuda:0")) is None
