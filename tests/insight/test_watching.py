import math

import numpy as np
import pytest
import torch
from torch import nn

import loopcell
from loopcell import State, cell, cells
from loopcell.insight import layer_health


@cell
def linear(x, h, *, W, U):
    """Linear."""
    h = W.h @ x + U.h @ h
    return h  # noqa: RET504 - a state has its name


def test_shares_of_saturated_gates_are_those_of_the_recorded_values():
    torch.manual_seed(0)
    net = loopcell.LSTM(3, 8, num_layers=2).double()
    x = 4 * torch.randn(9, 5, 3, dtype=torch.float64)
    seen = net.record(x)
    healths = layer_health(net, lambda: net(x))
    assert [health.name for health in healths] == ["LSTM, layer 0", "LSTM, layer 1"]
    for layer, health in enumerate(healths):
        assert set(health.saturated) == {"i", "f", "g", "o"}
        for gate in "ifo":
            value = seen[gate][layer].numpy()
            assert health.saturated[gate] == pytest.approx(np.mean((value < 0.05) | (value > 0.95)))
        assert health.saturated["g"] == pytest.approx(np.mean(np.abs(seen["g"][layer].numpy()) > 0.95))
    assert 0 < healths[0].saturated["i"] < 1


def test_what_lies_past_a_rows_end_does_not_count():
    torch.manual_seed(0)
    net = loopcell.Recurrent("gru", 3, 6, bidirectional=True)
    rows = [torch.randn(length, 3) for length in (7, 3, 5)]
    padded = nn.utils.rnn.pad_sequence(rows, padding_value=1e6)
    found = layer_health(net, lambda: net(padded, lengths=[7, 3, 5]))
    alone = [layer_health(net, lambda row=row: net(row.unsqueeze(1))) for row in rows]
    for place in (0, 1):
        steps = np.array([7, 3, 5])
        for gate, share in found[place].saturated.items():
            assert share == pytest.approx(np.average([one[place].saturated[gate] for one in alone], weights=steps))
        for back in range(7):
            reach = [one[place].gradient["h"] for one in alone if back < len(one[place].gradient["h"])]
            squares = [norms[back] ** 2 for norms in reach]
            assert found[place].gradient["h"][back] == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)


def test_a_unit_without_weights_is_dead():
    net = loopcell.RNN(3, 4)
    for name, weight in net.named_parameters():
        if name.startswith(("weight", "bias")):
            weight.data[1] = 0.0  # the row that makes unit 1
    (health,) = layer_health(net, lambda: net(torch.randn(6, 2, 3)))
    assert (health.output, health.dead) == ("h", 0.25)


def test_what_is_no_number_is_neither_saturated_nor_alive():
    net, x = loopcell.LSTM(3, 4), torch.randn(5, 3, 3)
    with torch.no_grad():
        net.weight_ih_l0[0, 0] = torch.nan  # unit 0 of the input gate, and by h all others at later steps
    (health,) = layer_health(net, lambda: net(x))
    assert np.isnan([*health.saturated.values(), health.dead, *health.slope.values()]).all()


def test_a_batch_without_a_step_is_not_looked_at():
    net, x = loopcell.LSTM(3, 4), torch.randn(5, 18, 3)
    assert layer_health(net, lambda: net(x, lengths=[0] * 18)) == ()
    assert layer_health(net, lambda: net(x, lengths=[0] * 16 + [5, 5])) == ()  # of the rows that are looked at


@pytest.mark.parametrize("rho", [0.7, 1.05])
def test_of_a_linear_network_the_slope_is_the_log_of_the_spectral_radius(rho):
    torch.manual_seed(0)
    net = loopcell.Recurrent(linear, 3, 16)
    net.assign(0, 0, "U.h", rho * torch.linalg.qr(torch.randn(16, 16))[0])
    (health,) = layer_health(net, lambda: net(torch.randn(40, 20, 3)))
    assert health.slope["h"] == pytest.approx(math.log(rho), rel=0.02)
    assert health.gradient["h"][0] == pytest.approx(1.0, rel=1e-5)  # the direction has length 1
    assert health.saturated == {}


def test_of_several_calls_the_longest_counts_and_the_state_that_was_given():
    torch.manual_seed(0)
    net = loopcell.Recurrent("gru", 2, 3)
    model = nn.ModuleDict({"reader": net, "nothing": nn.Linear(2, 2)})
    x, state = torch.randn(5, 2, 2), State(h=3 * torch.randn(1, 2, 3))

    def read():
        net(x[:1])
        net(x, state)

    (health,) = layer_health(model, read)
    assert health.name == "reader, layer 0"
    assert len(health.gradient["h"]) == 5
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    candidate = net.record(x, "n", state=state)["n"][0].abs()
    assert health.saturated["n"] == pytest.approx(float((candidate > 0.95).double().mean()))
    assert health.saturated["n"] > 0


def test_a_model_without_recurrent_layers_has_nothing_to_watch():
    model = nn.Linear(2, 2)
    assert layer_health(model, lambda: model(torch.randn(3, 2))) == ()


@pytest.mark.parametrize("name", ["indrnn", "sru", "lstm_projected", "light_gru"])
def test_cells_of_other_kinds_have_a_health(name):
    known = cells.get(name)
    sizes = {"proj": 3} if "proj" in known.sizes else None
    net = loopcell.Recurrent(known, 3, 4, sizes=sizes, batch_first=True)
    for health in layer_health(net, lambda: net(torch.randn(2, 6, 3))):
        assert 0 <= health.dead <= 1
        assert all(0 <= share <= 1 for share in health.saturated.values())
