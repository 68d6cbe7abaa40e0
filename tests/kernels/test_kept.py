"""What the forward loop keeps: the output is kept once, and whoever writes to it is told."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from loopcell import GRU, LSTM, RNN, Recurrent, cell, cells, sigmoid

STEPS, ROWS, WIDTH, UNITS = 6, 3, 4, 5


def loss(y):
    return (y * torch.linspace(0.0, 1.0, y.numel()).view(y.shape)).sum()


def gradients(net, x):
    return torch.autograd.grad(loss(net(x)[0]), [x, *net.parameters()])


def numbers_behind(y):
    return y.untyped_storage().nbytes() // y.element_size()


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_the_output_lies_behind_the_state_before_the_first_step(kind):
    net = kind(WIDTH, UNITS)
    y = net(torch.randn(STEPS, ROWS, WIDTH))[0]
    assert y.shape == (STEPS, ROWS, UNITS)
    assert y.is_contiguous()
    assert numbers_behind(y) == (STEPS + 1) * ROWS * UNITS
    with torch.no_grad():
        assert numbers_behind(net(torch.randn(STEPS, ROWS, WIDTH))[0]) == STEPS * ROWS * UNITS


def test_what_the_loop_clears_or_leaves_out_is_kept_apart():
    net, x = Recurrent(cells.get("lstm"), WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH)
    reset = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    reset[2, 1] = True
    for given in ({"reset": reset}, {"lengths": [6, 2, 3]}):
        y = net(x, **given)[0]
        assert numbers_behind(y) == STEPS * ROWS * UNITS
    assert (net(x, reset=reset)[0][1, 1] != 0).any()


def test_an_output_that_is_not_the_state_is_kept_apart():
    @cell
    def half(x, h, *, W, U):
        h_new = sigmoid(W.h @ x + U.h @ h)
        return 0.5 * h_new, h_new

    net, x = Recurrent(half, WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    assert numbers_behind(net(x)[0]) == STEPS * ROWS * UNITS
    y = net(x)[0]
    y.mul_(2.0)
    loss(y).backward()  # nothing that is needed was written to


def test_writing_to_what_is_needed_is_an_error_as_in_torch():
    net, x = LSTM(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH)
    y = net(x)[0]
    y.relu_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss(y).backward()
    y = net(x)[0]
    (y + y.relu()).sum().backward()


def test_gradients_survive_that_what_is_kept_is_moved():
    net, x = GRU(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    expected = gradients(net, x)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        moved = gradients(net, x)
    again = checkpoint(lambda x: net(x)[0], x, use_reentrant=False)
    recomputed = torch.autograd.grad(loss(again), [x, *net.parameters()])
    for wanted, *found in zip(expected, moved, recomputed, strict=True):
        assert all(torch.equal(wanted, gradient) for gradient in found)
