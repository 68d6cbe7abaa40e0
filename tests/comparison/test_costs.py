"""Costs: saved bytes beside what is known of torch's operations, and turns that are taken."""

import torch

import loopcell
from loopcell.comparison.costs import MeasuredLayers, measured, saved_bytes


class ExpSin(torch.nn.Module):
    """exp saves its result, sin its input: the same tensor; a product saves the weight and the input."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(7))

    def forward(self, x):
        return (x * self.weight).exp().sin()


def test_each_storage_counts_once_and_neither_parameters_nor_the_input_count():
    x = torch.randn(11, 5, 7)
    assert saved_bytes(ExpSin(), x) == 4 * 11 * 5 * 7


def test_what_a_cell_saves_grows_with_the_steps():
    net = loopcell.GRU(3, 8)
    short, long = (saved_bytes(net, torch.randn(steps, 4, 3)) for steps in (10, 40))
    assert 3.5 < long / short < 4.5


def test_every_cell_takes_its_turns():
    torch.manual_seed(0)
    cases = {name: MeasuredLayers(loopcell.Recurrent(name, 3, 8), torch.randn(6, 4, 3)) for name in ("rnn", "lstm")}
    rnn, lstm = measured(cases, rounds=3)
    assert (rnn.cell, lstm.cell) == ("rnn", "lstm")
    assert (rnn.steps, rnn.batch, rnn.rounds, rnn.hidden_size) == (6, 4, 3, 8)
    assert lstm.parameters == 4 * (8 * 3 + 8 * 8 + 8)
    assert lstm.saved_bytes > rnn.saved_bytes
    assert 0 < rnn.forward_ms < rnn.training_ms < lstm.training_ms
