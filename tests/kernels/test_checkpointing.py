"""Gradient checkpointing: less memory, the same results and gradients."""

from __future__ import annotations

import weakref

import pytest
import torch

import loopcell
from loopcell.backends.c.launch.forward import SavedLayout
from tests.kernels.test_laws import ALL
from tests.laws.table import MODIFIED, case

pytestmark = pytest.mark.usefixtures("compiled_soon")
CELLS = {cell.name: cell for cell in MODIFIED} | {name: ALL[name] for name in ("lstm", "gru", "lstm_layer_norm")}


def results(net, x, state, masks):
    net.zero_grad()
    x, state = x.clone().requires_grad_(), state.map(lambda tensor: tensor.clone().requires_grad_())
    torch.manual_seed(1)  # draws
    y, final = net(x, state, **masks)
    (y.square().sum() + sum(tensor.sin().sum() for tensor in final.values())).backward()
    return [
        y,
        *final.values(),
        x.grad,
        *(tensor.grad for tensor in state.values()),
        *(p.grad for p in net.parameters()),
    ]


@pytest.mark.parametrize("name", sorted(CELLS))
@pytest.mark.parametrize("masked", [False, True])
def test_results_and_gradients_are_the_same(name, masked):
    tried = case(CELLS[name], steps=11, batch=4, input_size=3, hidden_size=5)
    net = tried.net().train()
    masks = {"lengths": tried.lengths(), "reset": tried.reset()} if masked else {}
    given = tried.inputs(), tried.state(net), masks
    expected = results(net, *given)
    for steps in (None, 1, 4, 11, 50):
        net.gradient_checkpointing_enable(steps)
        torch.testing.assert_close(results(net, *given), expected)
    net.gradient_checkpointing_disable()
    torch.testing.assert_close(results(net, *given), expected, rtol=0, atol=0)


def test_a_bidirectional_stack_with_dropout():
    torch.manual_seed(0)
    net = loopcell.LSTM(3, 5, 2, bidirectional=True, dropout=0.4)
    x = torch.randn(9, 2, 3)
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        net.zero_grad()
        net(x, lengths=[9, 4])[0].square().sum().backward()
        found.append([weight.grad.clone() for weight in net.parameters()])
        net.gradient_checkpointing_enable()
    torch.testing.assert_close(found[1], found[0])


def test_less_is_saved(monkeypatch):
    alive = []
    allocate = SavedLayout.allocate

    def seen(*given, **how):
        saved = allocate(*given, **how)
        alive.append((weakref.ref(saved.block), saved.block.numel()))
        return saved

    monkeypatch.setattr(SavedLayout, "allocate", seen)
    net, x = loopcell.LSTM(8, 16), torch.randn(400, 2, 8)
    kept = []
    for _ in range(2):
        alive.clear()
        y, _ = net(x)
        kept.append(sum(count for block, count in alive if block() is not None))
        y.sum().backward()
        net.gradient_checkpointing_enable()
    assert kept[0] > 0
    assert kept[1] == 0


def test_bad_steps_are_refused():
    with pytest.raises(loopcell.errors.InputError, match="at least 1"):
        loopcell.GRU(3, 5).gradient_checkpointing_enable(0)
