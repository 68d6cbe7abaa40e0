"""Layers one after the other, with states going in and out."""

import copy

import pytest
import torch
from torch import nn

from loopcell import GRU, LSTM, State
from loopcell.errors import InputError, UsageError
from loopcell.importing import Chain, Imported
from loopcell.importing.chain import LastStep, TimeReversed


def chain():
    torch.manual_seed(0)
    start = State(h=torch.randn(1, 1, 4), c=torch.randn(1, 1, 4))
    layers = {"in": nn.Linear(2, 3), "lower": LSTM(3, 4, batch_first=True), "upper": GRU(4, 2, batch_first=True)}
    return Chain(layers, {"lower": start}), start


def test_a_chain_runs_its_layers_from_their_states():
    made, start = chain()
    x = torch.randn(5, 6, 2)
    y, states = made(x)
    wide = tuple(tensor.expand(1, 5, 4).contiguous() for tensor in start.values())
    inner, (h, _) = made.layers[1](made.layers[0](x), wide)
    assert torch.equal(y, made.layers[2](inner)[0]) and torch.equal(states["lower"].h, h)  # noqa: PT018
    assert torch.equal(made(x, made.initial_state(5))[0], y)
    with pytest.raises(InputError, match="states has no state of `upper`"):
        made(x, {"lower": states["lower"]})


def test_the_start_is_kept_and_goes_along():
    made, start = chain()
    kept, other = (
        made.state_dict(),
        Chain(copy.deepcopy(dict(zip(made.names, made.layers, strict=True))), {"lower": start}),
    )
    other.load_state_dict(kept)
    assert torch.equal(other.double().initial_state(2)["lower"].h[:, :1], start.h.double())
    assert made.networks["upper"] is made.layers[2]


def test_the_last_output_in_the_order_of_reading():
    y = torch.arange(12.0).reshape(1, 3, 4)
    assert LastStep(1)(y).tolist() == [[8.0, 9.0, 10.0, 11.0]]
    assert LastStep(2)(y).tolist() == [[8.0, 9.0, 2.0, 3.0]]
    assert TimeReversed()(y)[0, :, 0].tolist() == [8.0, 4.0, 0.0]


def test_one_network_or_several():
    made, _ = chain()
    imported = Imported(made, made.networks, ())
    with pytest.raises(UsageError, match=r"there are 2 networks, `lower`, `upper`: use networks\[...\]"):
        _ = imported.network
    assert Imported(made, {"lower": made.networks["lower"]}, ()).network is made.layers[1]
