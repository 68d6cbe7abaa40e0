"""Replacing torch.nn by changing the import: signatures, names, seeds. Numbers are compared in tests/parity."""

from __future__ import annotations

import inspect

import pytest
import torch

import loopcell
from loopcell.errors import InputError

PAIRS = [(getattr(loopcell, name), getattr(torch.nn, name)) for name in ("RNN", "LSTM", "GRU")]
OPTIONS = [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}, {"num_layers": 3, "dropout": 0.2}]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("options", OPTIONS)
def test_one_seed_gives_the_same_start(ours, theirs, options):
    torch.manual_seed(3)
    mine = ours(5, 6, **options).state_dict()
    torch.manual_seed(3)
    other = theirs(5, 6, **options).state_dict()
    assert list(mine) == list(other)
    assert all(torch.equal(mine[name], other[name]) for name in other)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_state_dicts_load_both_ways(ours, theirs):
    mine, other = ours(5, 6, num_layers=2), theirs(5, 6, num_layers=2)
    x = torch.randn(4, 2, 5)
    other.load_state_dict(mine.state_dict())
    assert torch.allclose(mine(x)[0], other(x)[0], atol=1e-6)
    fresh = theirs(5, 6, num_layers=2)
    mine.load_state_dict(fresh.state_dict())
    assert torch.allclose(mine(x)[0], fresh(x)[0], atol=1e-6)


def test_positional_arguments_mean_the_same():
    ours, theirs = loopcell.LSTM(5, 6, 2, False, True, 0.0, True, 3), torch.nn.LSTM(5, 6, 2, False, True, 0.0, True, 3)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert (ours.batch_first, ours.bidirectional, ours.proj_size, ours.bias) == (True, True, 3, False)
    assert loopcell.RNN(5, 6, 1, "relu", False).mode == torch.nn.RNN(5, 6, 1, "relu", False).mode == "RNN_RELU"


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_attributes(ours, theirs):
    mine, other = ours(5, 6), theirs(5, 6)
    for name in ("mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(mine, name) == getattr(other, name), name
    assert [[w.shape for w in layer] for layer in mine.all_weights] == [
        [w.shape for w in layer] for layer in other.all_weights
    ]
    mine.flatten_parameters()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_forward_takes_torchs_names(ours, theirs):
    expected = list(inspect.signature(theirs.forward).parameters)[:3]
    assert list(inspect.signature(ours.forward).parameters)[:3] == expected


def test_refusals():
    with pytest.raises(InputError, match="state `h` must be"):
        loopcell.GRU(5, 6)(torch.zeros(2, 1, 5), torch.zeros(1, 3, 6))


@pytest.mark.parametrize(
    ("hx", "came"),
    [
        (torch.zeros(1, 1, 6), r"a tensor \[1, 1, 6\]"),
        (torch.zeros(2, 1, 1, 6), r"a tensor \[2, 1, 1, 6\]"),
        ((torch.zeros(1, 1, 6),), "a tuple of 1"),
        (loopcell.State(h=torch.zeros(1, 1, 6), c=torch.zeros(1, 1, 6)), "State"),
    ],
)
def test_an_lstm_takes_a_pair(hx, came):
    with pytest.raises(InputError, match=rf"hx must be the pair \(h, c\), as a call returns it; got {came}"):
        loopcell.LSTM(5, 6)(torch.zeros(2, 1, 5), hx)
