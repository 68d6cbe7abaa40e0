"""The values saved for backward: an output that is one of them is stored once, and may be written to all the same."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from loopcell import GRU, LSTM, RNN, Recurrent, cell, cells, sigmoid
from loopcell.errors import TensorError

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


CHANGES = {
    "relu_": lambda y: y.relu_(),
    "mul_": lambda y: y.mul_(2.0),
    "rows": lambda y: y[2:].zero_() is None or y,
    "a view": lambda y: y.view(-1).add_(1.0).view(y.shape),
    "index": lambda y: y.index_fill_(0, torch.tensor([1, 3]), 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_the_output_may_be_written_to(kind, change):
    """As after torch.nn.GRU: what is kept lies in the output, and is computed again where somebody wrote to that."""
    net, x = kind(WIDTH, UNITS, num_layers=2), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    leaves = [x, *net.parameters()]
    expected = torch.autograd.grad(loss(CHANGES[change](net(x)[0].clone())), leaves)
    y = net(x)[0]
    torch.testing.assert_close(torch.autograd.grad(loss(CHANGES[change](y)), leaves), expected)
    y = net(x)[0]
    torch.autograd.grad((y + y.relu()).sum(), leaves)


def test_every_change_is_seen_at_every_backward_pass():
    net, x = GRU(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH)
    expected = torch.autograd.grad(loss(net(x)[0]), net.parameters())
    y = net(x)[0]
    before = loss(y.clone())
    first = torch.autograd.grad(before, net.parameters(), retain_graph=True)
    with torch.no_grad():
        y.fill_(7.0)
    second = torch.autograd.grad(before, net.parameters())
    for wanted, *found in zip(expected, first, second, strict=True):
        for gradient in found:
            torch.testing.assert_close(gradient, wanted)


def test_an_output_that_is_gone_keeps_no_memory():
    net, x = GRU(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH)
    y = net(x)[0]
    node = y.grad_fn
    loss(y).backward()
    assert node.output._counter.untyped_storage().nbytes() == 0


def test_gradients_survive_that_what_is_kept_is_moved():
    net, x = GRU(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    expected = gradients(net, x)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        moved = gradients(net, x)
    again = checkpoint(lambda x: net(x)[0], x, use_reentrant=False)
    recomputed = torch.autograd.grad(loss(again), [x, *net.parameters()])
    for wanted, *found in zip(expected, moved, recomputed, strict=True):
        assert all(torch.equal(wanted, gradient) for gradient in found)


LAYOUTS = {
    "other strides": lambda tensor: tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor,
    "every other number": lambda tensor: torch.stack([tensor, tensor], -1).flatten(-2)[..., ::2],
    "negated lazily": lambda tensor: torch._neg_view(-tensor),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_hooks_may_return_what_was_saved_in_another_layout(kind, layout):
    net, x = kind(WIDTH, UNITS, 2), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    expected = gradients(net, x)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, LAYOUTS[layout]):
        found = gradients(net, x)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("returned", [torch.Tensor.half, torch.Tensor.double, lambda tensor: tensor[:1]])
def test_hooks_that_return_something_else_are_refused(returned):
    net, x = LSTM(WIDTH, UNITS), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, returned):
        y = net(x)[0]
        with pytest.raises(TensorError, match=r"a hook on saved tensors returned a .*; it must return what was saved"):
            y.sum().backward()


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_gradients_may_be_written_to_one_by_one(kind):
    net, x = kind(WIDTH, UNITS, num_layers=2, bidirectional=True), torch.randn(STEPS, ROWS, WIDTH, requires_grad=True)
    expected = [gradient.clone() for gradient in gradients(net, x)]
    for place in range(len(expected)):
        found = gradients(net, x)
        found[place].zero_()
        for other, gradient in enumerate(found):
            assert other == place or torch.equal(gradient, expected[other])
    net.bias_hh_l0.register_hook(lambda gradient: gradient.mul_(2.0))
    loss(net(x)[0]).backward()
    torch.testing.assert_close(net.bias_ih_l0.grad, expected[3])
    torch.testing.assert_close(net.bias_hh_l0.grad, 2.0 * expected[4])
