"""Branches: the numbers and gradients of whole steps, each product once, and what cannot share runs whole."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import loopcell
from loopcell import Recurrent, State, bernoulli, cell, cells, sigmoid, tanh
from loopcell.backends.reference import branches
from loopcell.errors import InputError, TensorError
from loopcell.layers import branch
from loopcell.runtime import shares_a_step

M, B, C, D, H = 5, 3, 2, 4, 6


@cell
def user(x, h, s, *, W, U, p, b):
    """A cell of a user: two states, a product of a product, a gate of the state alone, an output that is no state."""
    keep = sigmoid(U.keep @ s + p.keep * h)
    g = tanh(W.g @ x + U.g @ (keep * h) - b.g)
    s = keep * s + (1 - keep) * g
    h = sigmoid(W.o @ x) * s + p.h * h
    return h, s


@cell
def feed_forward(x, h, *, W):
    return tanh(W.h @ x)


@cell
def deaf(x, h, *, W, U):
    return tanh(U.h @ h) + 0 * tanh(W.h @ x)


CELLS = ["rnn", "lstm", "gru", "gru_lets_before", "lstm_projected", "lstm_layer_norm", "min_gru", user, feed_forward]


def made(name, **options):
    torch.manual_seed(1)
    sizes = {"proj": 3} if name == "lstm_projected" else None
    return Recurrent(name, D, H, sizes=sizes, **{"dtype": torch.float64, **options})


def drawn(net, rows=(B,), own=(1,)):
    """Inputs and a state, whose gradients are asked for."""
    torch.manual_seed(2)
    x = torch.randn(M, *own, net.input_size, dtype=torch.float64, requires_grad=True)
    sizes = net.spec.state_sizes
    return x, State(
        **{
            name: torch.randn(net.num_layers, *rows, size, dtype=torch.float64, requires_grad=True)
            for name, size in sizes.items()
        }
    )


def one_by_one(net, x, state):
    """The first output of each branch by a call of its own, over rows [R]."""
    flat = state.map(lambda part: part.flatten(1, -2))
    rows = next(iter(state.values())).shape[1:-1]
    wide = x.expand(len(x), *rows, x.shape[-1]).flatten(1, -2)
    return torch.stack([net(step[None], flat)[0][0] for step in wide]).unflatten(1, rows)


def gradients(net, found, x, state):
    torch.manual_seed(3)
    wanted = [x, *state.values(), *net.parameters()]
    return torch.autograd.grad((found * torch.randn_like(found)).sum(), wanted, allow_unused=True)


@pytest.mark.parametrize(("rows", "own"), [((B,), (1,)), ((B,), (B,)), ((B, C), (1, C)), ((B, C), (B, 1))])
@pytest.mark.parametrize("kind", CELLS, ids=str)
def test_outputs_and_gradients_are_those_of_a_call_for_each_branch(kind, rows, own):
    net = made(kind)
    x, state = drawn(net, rows, own)
    found, expected = branch(net, x, state), one_by_one(net, x, state)
    assert found.shape == (M, *rows, net.output_size)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(gradients(net, found, x, state), gradients(net, expected, x, state), strict=True):
        assert (mine is None or not mine.any()) if theirs is None else torch.allclose(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_of_the_library_without_further_inputs_has_branches(name):
    net = made(name, num_layers=1) if name != "lstm_projected" else made(name)
    x, state = drawn(net)
    if net.spec.further:
        with pytest.raises(InputError, match="also reads"):
            branch(net, x, state)
        return
    torch.testing.assert_close(branch(net, x, state), one_by_one(net, x, state), rtol=0, atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_numbers_do_not_depend_on_how_many_branches_are_evaluated_at_once(at_once, monkeypatch):
    net = made("gru")
    x, state = drawn(net)
    whole = branch(net, x, state)
    monkeypatch.setattr(branches, "NUMBERS", at_once * B * H)
    # Not to the last bit: a product of PyTorch's may add up otherwise for another number of rows.
    torch.testing.assert_close(branch(net, x, state), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "of_input", "of_state", "of_both"),
    [("gru", 3, 3, 0), ("lstm", 4, 4, 0), ("rnn", 1, 1, 0), ("gru_lets_before", 3, 2, 1)],
)
def test_each_product_is_made_once_for_each_operand_that_there_is(name, of_input, of_state, of_both):
    net = made(name)
    x, state = drawn(net)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        branch(net, x, state)
    products = of_input * M * D * H + of_state * B * H * H + of_both * M * B * H * H
    assert counter.get_total_flops() == 2 * products


def test_layers_stand_on_each_other_and_dropout_stands_between_them():
    net = made("lstm", num_layers=3, dropout=0.5)
    x, state = drawn(net)
    net.eval()
    torch.testing.assert_close(branch(net, x, state), one_by_one(net, x, state), rtol=0, atol=1e-12)
    net.train()
    assert not torch.equal(branch(net, x, state), branch(net, x, state))


def test_no_branch_and_no_row():
    net = made("gru")
    x, state = drawn(net)
    assert branch(net, x[:0], state).shape == (0, B, H)
    assert branch(net, x, state.map(lambda part: part[:, :0])).shape == (M, 0, H)


def test_a_cell_that_draws_draws_for_each_branch_in_training():
    @cell
    def drawing(x, h, *, W, U):
        return tanh(W.h @ x + U.h @ h) * bernoulli(h, 0.5, each="step", name="draw")

    net = made(drawing)
    x, state = drawn(net)
    same = x[:1].expand(M, 1, D)
    zeros = branch(net.train(), same, state) == 0
    assert not torch.equal(zeros[0], zeros[1])
    torch.testing.assert_close(branch(net.eval(), x, state), one_by_one(net, x, state), rtol=0, atol=1e-12)


def test_an_input_that_has_no_part_in_the_output():
    net = made(deaf)
    x, state = drawn(net)
    torch.testing.assert_close(branch(net, x, state), one_by_one(net, x, state), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_and_rounded(dtype):
    net = made("gru", dtype=torch.float32)
    x, state = drawn(net)
    x, state = x.detach().float(), state.map(lambda part: part.detach().float())
    exact = branch(net, x, state)
    with torch.autocast("cpu", dtype):
        found = branch(net, x, state)
    assert found.dtype == dtype == one_by_one_under_autocast(net, x, state, dtype).dtype
    assert torch.equal(found, exact.to(dtype))


def one_by_one_under_autocast(net, x, state, dtype):
    with torch.autocast("cpu", dtype):
        return one_by_one(net, x, state)


def test_kernels_that_are_demanded_run_whole_steps():
    net = made("gru")
    x, state = drawn(net)
    expected = branch(net, x, state)
    assert shares_a_step(net.cell, training=True)
    with loopcell.backend("c"):
        assert not shares_a_step(net.cell, training=True)
        torch.testing.assert_close(branch(net, x, state), expected, rtol=0, atol=1e-12)


def test_errors_say_what_does_not_fit():
    net = made("gru")
    x, state = drawn(net)
    with pytest.raises(TensorError, match=r"must be \[m, \*rows, 4\] with rows of \[3\].*got \[5, 2, 4\]"):
        branch(net, torch.zeros(M, 2, D), state)
    with pytest.raises(TensorError, match=r"must be \[m, \*rows, 4\].*got \[5, 1, 7\]"):
        branch(net, torch.zeros(M, 1, 7), state)
    with pytest.raises(TensorError, match=r"state `h` must be \[layers, \*rows, size\] = \[1, 3, 6\]; got \[2, 3, 6\]"):
        branch(net, x, State(h=torch.zeros(2, B, H)))
    with pytest.raises(TensorError, match=r"has the states h; the given one has c"):
        branch(net, x, State(c=torch.zeros(1, B, H)))
    with pytest.raises(InputError, match="reads in both directions"):
        branch(made("gru", bidirectional=True), x, state)
