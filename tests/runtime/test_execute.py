"""Draws and their means; what networks leave behind."""

from __future__ import annotations

import gc

import pytest
import torch

import loopcell
from loopcell import Recurrent, bernoulli, cell, cells, mean, sized, tanh
from loopcell.runtime import operator_spec


def counting(probability, each, scale=1.0):
    """A cell that adds up its draws: with no other arithmetic the state is their sum."""

    @cell
    def counter(x, h, *, W):
        return h + bernoulli(h, probability, scale=scale, each=each, name="draw") + 0 * sized(x, "hidden")

    return Recurrent(counter, 500, 500)


def test_draws_of_a_step_are_independent():
    torch.manual_seed(0)
    net = counting(0.3, "step").train()
    total = net(torch.zeros(40, 2, 500))[1].h
    assert total.mean().item() == pytest.approx(12, rel=0.03)
    assert total.var().item() == pytest.approx(40 * 0.3 * 0.7, rel=0.15)


def test_a_draw_of_a_sequence_holds():
    torch.manual_seed(0)
    net = counting(0.3, "sequence", scale=2.0).train()
    total = net(torch.zeros(40, 2, 500))[1].h
    assert set(total.unique().tolist()) == {0.0, 80.0}
    assert (total > 0).float().mean().item() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("each", ["step", "sequence"])
def test_evaluation_takes_the_mean(each):
    net = counting(0.25, each, scale=2.0).eval()
    assert net(torch.zeros(8, 1, 500))[1].h.eq(4.0).all()


def test_weights_are_dropped_once_a_sequence_and_only_in_training():
    torch.manual_seed(0)
    net = Recurrent(cells.weight_dropout(cells.get("rnn"), 0.5), 3, 4)
    x = torch.randn(6, 2, 3)
    assert not torch.equal(net.train()(x)[0], net(x)[0])
    assert torch.equal(net.eval()(x)[0], net(x)[0])


def test_a_seed_gives_the_same_draws():
    net = Recurrent(cells.zoneout(cells.get("lstm"), 0.5), 3, 4).train()
    x = torch.randn(6, 2, 3)
    torch.manual_seed(5)
    first = net(x)[0]
    torch.manual_seed(5)
    assert torch.equal(net(x)[0], first)


def test_a_draw_may_stand_anywhere():
    @cell
    def anywhere(x, h, *, W, U):
        draw = bernoulli(h, 0.5, name="m")
        return sized(tanh(W.h @ x + U.h @ draw) + mean(draw), "hidden"), draw

    net = Recurrent(anywhere, 3, 4).eval()
    x = torch.randn(2, 1, 3)
    expected = torch.tanh(x @ net.l0.W.h.T + 0.5 * net.l0.U.h.sum(1)) + 0.5
    y, state = net(x)
    assert torch.allclose(y, expected)
    assert state.h.eq(0.5).all()


def test_networks_that_are_gone_leave_nothing_behind():
    """Of ever new sizes too: what the operator knows by name lives as long as a network of that name."""
    before = len(operator_spec._RUNNERS)
    for hidden in range(5, 25):
        loopcell.LSTM(3, hidden)(torch.zeros(2, 1, 3))
    gc.collect()
    assert len(operator_spec._RUNNERS) <= before
    net = loopcell.LSTM(3, 5)
    text = net.executable(0).operator_name(training=True)
    assert operator_spec._RUNNERS[text].sizes["hidden"] == 5
