"""A cell whose equations have further inputs: nudges, whose gradients are those of the values inside."""

import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.backends.lengths import Lengths
from loopcell.insight.nudges import NudgedExecutable

pytestmark = pytest.mark.usefixtures("compiled_soon")
T, B, N, H = 6, 3, 5, 7


def _gradients(name, lengths=None):
    cell = cells.get(name)
    sizes = {size: 4 for size in cell.sizes if size not in ("input", "hidden")}
    torch.manual_seed(1)
    net = loopcell.Recurrent(cell, N, H, sizes=sizes or None).double().eval()
    x = torch.randn(T, B, N, dtype=torch.float64)
    further = {
        key: torch.rand(T, B, found.width, dtype=torch.float64) for key, found in net.executable(0).further.items()
    }
    layer = NudgedExecutable(net.executable(0), net.executable(0).names)
    rest = [torch.zeros(B, size, dtype=torch.float64) for size in net.executable(0).state_sizes.values()]
    rows = Lengths(T, None if lengths is None else torch.tensor(lengths))
    y, after, *_ = layer(x, rest, net.sources(0, 0), rows, training=False, further=further)
    (nudges,) = layer.nudges
    loss = (y * y).sum() + sum((state**3).sum() for state in after)
    return y, net(x, lengths=lengths, **further)[0], torch.autograd.grad(loss, list(nudges.values()))


@pytest.mark.parametrize("lengths", [None, [6, 2, 4]])
@pytest.mark.parametrize("name", cells.names())
def test_kernels_give_the_gradient_of_every_named_value(name, lengths):
    y, plain, found = _gradients(name, lengths)
    with loopcell.backend("reference"):
        _, _, expected = _gradients(name, lengths)
    assert torch.equal(y, plain)  # a nudge of zero changes nothing
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_the_gradient_of_a_cell_state_is_that_of_autograd_in_a_loop_written_by_hand():
    torch.manual_seed(3)
    net = torch.nn.LSTM(N, H).double()
    ours = loopcell.LSTM(N, H).double()
    ours.load_state_dict(net.state_dict())
    x = torch.randn(T, B, N, dtype=torch.float64)
    w, u = net.weight_ih_l0, net.weight_hh_l0
    h = c = torch.zeros(B, H, dtype=torch.float64)
    states, outputs = [], []
    for step in x:
        i, f, g, o = (step @ w.T + net.bias_ih_l0 + h @ u.T + net.bias_hh_l0).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        c.retain_grad()
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(c)
        outputs.append(h)
    torch.stack(outputs).square().sum().backward()
    layer = NudgedExecutable(ours.executable(0), ["c"])
    rest = [torch.zeros(B, H, dtype=torch.float64)] * 2
    y, *_ = layer(x, rest, ours.sources(0, 0), Lengths(T), training=False)
    (nudges,) = layer.nudges
    (found,) = torch.autograd.grad(y.square().sum(), list(nudges.values()))
    torch.testing.assert_close(found, torch.stack([state.grad for state in states]), rtol=1e-9, atol=1e-12)
