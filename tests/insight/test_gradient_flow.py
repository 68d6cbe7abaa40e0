import math

import numpy as np
import pytest
import torch

import loopcell
from loopcell import cell, cells
from loopcell.equations import tanh
from loopcell.errors import InputError
from loopcell.insight import gradient_flow, gradient_flow_inside, layer_health


@cell
def linear(x, h, *, W, U):
    """Linear."""
    h = W.h @ x + U.h @ h
    return h  # noqa: RET504 - a state has its name


@cell
def swelling(x, h, *, W):
    """Half as much again."""
    h = 1.5 * h + W.a @ x
    return h  # noqa: RET504 - a state has its name


@cell
def beside(x, k, h, *, W, U, b):
    """A vanilla network with a state beside it that nothing changes."""
    h = tanh(W.h @ x + U.h @ h + b.h + k)
    return h, k, h


@cell
def standing(x, h, *, W):
    """A step that changes nothing."""
    y = W.y @ x + h
    return y, h


def _linear(rho, hidden=16):
    torch.manual_seed(0)
    net = loopcell.Recurrent(linear, 3, hidden)
    rotation = torch.linalg.qr(torch.randn(hidden, hidden))[0]
    net.assign(0, 0, "U.h", rho * rotation)
    return net


@pytest.mark.parametrize("rho", [0.5, 0.9, 1.1])
def test_of_a_linear_network_the_slope_is_the_log_of_the_spectral_radius(rho):
    flow = gradient_flow(_linear(rho), torch.randn(40, 2, 3))
    (layer,) = flow.layers
    assert layer.slope("h") == pytest.approx(math.log(rho), rel=0.02)
    assert layer.dynamics.predicted_slope == pytest.approx(math.log(rho), rel=1e-4)
    assert layer.dynamics.lyapunov == pytest.approx(math.log(rho), rel=1e-3)


def test_the_verdict_says_what_happens_and_the_treatment_makes_it_flat():
    x = torch.randn(60, 2, 3)
    vanishes, explodes = _linear(0.8), _linear(1.3)
    assert "vanishes: 2e-06 of it after 59 steps" in gradient_flow(vanishes, x).verdict()
    assert "explodes" in gradient_flow(explodes, x).verdict()
    for net in (vanishes, explodes):
        flow = gradient_flow(net, x, treatment="orthogonal")
        assert flow.layers[0].slope("h") == pytest.approx(0, abs=1e-4)
        assert "holds: 1 of it after 59 steps" in flow.verdict()


def test_rows_are_counted_from_their_own_ends():
    lengths = [20, 15, 10, 8, 5, 3, 2, 1]
    net = loopcell.Recurrent(linear, 2, 4, bidirectional=True)
    for direction in (0, 1):
        net.assign(0, direction, "U.h", torch.eye(4))
    ends = torch.tensor(lengths) - 1

    def loss(y):
        return y[ends, range(8), 0].sum() + y[0, :, 4].sum()  # what each direction reads last

    flow = gradient_flow(net, torch.randn(23, 8, 2), loss, lengths=lengths)
    for layer in flow.layers:
        np.testing.assert_allclose(layer.norms["h"], np.ones(20), rtol=1e-5)  # of the longest row, not of the padding
        assert layer.slope("h") == pytest.approx(0, abs=1e-6)
    assert "holds: 1 of it after 19 steps" in gradient_flow(net, torch.randn(20, 8, 2), loss, lengths=lengths).verdict()


@pytest.mark.parametrize(("rho", "steps", "dtype"), [(0.8, 600, torch.float32), (0.75, 100, torch.float16)])
def test_what_the_type_of_numbers_cannot_hold_has_no_slope_and_a_verdict_that_says_so(rho, steps, dtype):
    flow = gradient_flow(_linear(rho, 4).to(dtype), torch.randn(steps, 2, 3, dtype=dtype))
    (layer,), (found,) = flow.layers, flow.findings()
    assert layer.slope("h") == pytest.approx(math.log(rho), rel=0.02)
    assert (found.fate, found.under) == ("vanishes", True)
    assert found.factor == pytest.approx(torch.finfo(dtype).tiny * math.sqrt(4), rel=0.01)
    assert "vanishes: less than" in flow.verdict()


def test_a_gradient_that_grows_by_less_than_an_explosion_is_said_to_grow():
    net = loopcell.Recurrent(swelling, 1, 2)
    (found,) = gradient_flow(net, torch.randn(8, 1, 1)).findings()
    assert (found.fate, found.steps) == ("grows", 7)
    assert found.factor == pytest.approx(1.5**7, rel=1e-5)
    assert "grows: 17 times as large after 7 steps" in found.sentence()


def test_a_state_that_is_handed_on_as_it_was_is_left_out():
    torch.manual_seed(0)
    net, x = loopcell.Recurrent(beside, 3, 4, num_layers=2), torch.randn(6, 2, 3)
    with torch.no_grad():
        plain = loopcell.Recurrent("rnn", 3, 4, num_layers=2)
        for layer in (0, 1):
            for name in ("W.h", "U.h", "b.h"):
                plain.assign(layer, 0, name, net.weights(layer, 0)[name])
    expected = gradient_flow(plain, x)
    for found, right in zip(gradient_flow(net, x).layers, expected.layers, strict=True):
        assert list(found.norms) == ["h"]
        np.testing.assert_allclose(found.norms["h"], right.norms["h"], rtol=1e-5)
        np.testing.assert_allclose(found.dynamics.singular_values, right.dynamics.singular_values, rtol=1e-5)
        assert found.dynamics.lyapunov == pytest.approx(right.dynamics.lyapunov)
    inside = [gradient_flow_inside(one, lambda own: own(x)[1].h.sum(), "training loss") for one in (net, plain)]
    for found, right in zip(inside[0].layers, inside[1].layers, strict=True):
        np.testing.assert_allclose(found.norms["h"], right.norms["h"], rtol=1e-5)
    still = loopcell.Recurrent(standing, 3, 4)
    with pytest.raises(InputError, match="`standing` changes no state"):
        gradient_flow(still, x)
    assert layer_health(still, lambda: still(x))[0].gradient == {}


def test_norms_are_those_of_autograd_through_a_loop_by_hand():
    torch.manual_seed(1)
    net = loopcell.RNN(3, 5).double()
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    h, states = torch.zeros(4, 5, dtype=torch.float64), []
    for step in x:
        h = torch.tanh(step @ net.weight_ih_l0.T + net.bias_ih_l0 + h @ net.weight_hh_l0.T + net.bias_hh_l0)
        h.retain_grad()
        states.append(h)
    torch.stack(states).pow(3).sum().backward()
    expected = [float(state.grad.square().sum(-1).mean().sqrt()) for state in states]
    flow = gradient_flow(net, x, lambda y: y.pow(3).sum())
    np.testing.assert_allclose(flow.layers[0].norms["h"], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["lstm", "gru", "indrnn"])
def test_layers_directions_lengths_and_batch_first(name):
    net = loopcell.Recurrent(cells.get(name), 3, 6, num_layers=2, bidirectional=True, batch_first=True)
    x = torch.randn(4, 9, 3)
    flow = gradient_flow(net, x, lambda y: y[:, -1].sum(), lengths=[9, 9, 5, 1], dynamics=False)
    assert [(layer.layer, layer.direction) for layer in flow.layers] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(norms.shape == (9,) for layer in flow.layers for norms in layer.norms.values())
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_gated_cell_is_told_apart_in_the_advice():
    x = torch.randn(80, 2, 4)
    assert "a gated cell" in gradient_flow(loopcell.RNN(4, 8), x).verdict()
    assert "treatment='chrono'" in gradient_flow(loopcell.GRU(4, 8), x).verdict()


def test_what_does_not_fit_is_one_sentence():
    net, x = loopcell.GRU(3, 4), torch.randn(5, 2, 3)
    with pytest.raises(InputError, match="must be one number"):
        gradient_flow(net, x, lambda y: y.sum(-1))
    with pytest.raises(InputError, match="does not depend"):
        gradient_flow(net, x, lambda y: torch.zeros(()))
    with pytest.raises(InputError, match="no row has a step"):
        gradient_flow(net, x, lengths=[0, 0])
    with pytest.raises(InputError, match="with steps in it"):
        gradient_flow(net, x[:0])
    with pytest.raises(InputError, match="'orthogonal', 'chrono' or 'clip'"):
        gradient_flow(net, x, treatment="prayer")
    with pytest.raises(InputError, match="no gate that keeps its state"):
        gradient_flow(loopcell.RNN(3, 4), x, treatment="chrono")


def test_what_lies_past_a_rows_end_does_not_count():
    net, x = loopcell.GRU(3, 4), torch.randn(6, 2, 3)
    broken = x.clone()
    broken[2:, 0] = torch.nan
    expected, found = (gradient_flow(net, given, lengths=[2, 5]).layers[0] for given in (x, broken))
    np.testing.assert_array_equal(found.norms["h"], expected.norms["h"])
    alone = gradient_flow(net, x[:5, 1:]).layers[0].dynamics  # the longest row
    np.testing.assert_array_equal(found.dynamics.steps, range(5))
    assert found.dynamics.lyapunov == pytest.approx(alone.lyapunov)


def test_numbers_that_are_not_finite_have_a_verdict_too():
    net, x = loopcell.GRU(3, 4), torch.randn(6, 2, 3)
    x[3] = torch.nan
    flow = gradient_flow(net, x)
    assert "no number any more" in flow.verdict()
    assert np.isnan(flow.layers[0].dynamics.spectral_radius[-1])
    assert np.isfinite(flow.layers[0].dynamics.spectral_radius[0])


def test_it_works_where_gradients_are_off():
    with torch.no_grad():
        assert "holds" in gradient_flow(loopcell.GRU(3, 4), torch.randn(3, 2, 3)).verdict()


@pytest.mark.parametrize("x", [np.zeros((5, 2, 3)), torch.zeros(5, 2, 3).long(), torch.zeros(5, 2, 3).double()])
def test_an_input_that_the_network_does_not_read_is_one_sentence(x):
    with pytest.raises(InputError, match="the input"):
        gradient_flow(loopcell.GRU(3, 4), x)


def test_other_networks_and_lengths_are_one_sentence():
    x = torch.randn(5, 2, 3)
    with pytest.raises(InputError, match="layers of loopcell, not of a GRU"):
        gradient_flow(torch.nn.GRU(3, 4), x)
    with pytest.raises(InputError, match="lengths must be whole numbers"):
        gradient_flow(loopcell.GRU(3, 4), x, lengths=[2.5, 1])
