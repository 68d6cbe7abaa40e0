"""Looking into cells with several inputs: the flow of the gradient, its dynamics, and what a model's layers read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import Recurrent
from loopcell.errors import TensorError
from loopcell.insight import gradient_flow
from loopcell.insight.capture import look_inside
from loopcell.insight.watching import layer_health
from tests.reference.decays import gru_decay

T, B, D, H = 6, 3, 2, 4


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Recurrent("gru_decay", D, H, batch_first=True, dtype=torch.float64)


def drawn():
    torch.manual_seed(2)
    return torch.randn(B, T, D, dtype=torch.float64), 2 * torch.rand(B, T, dtype=torch.float64)


def test_the_flow_is_that_of_a_loop_by_hand(net):
    x, dt = drawn()
    flow = gradient_flow(net, x, lambda y: y[:, -1].square().sum(), inputs={"dt": dt})
    h, states = torch.zeros(B, H, dtype=torch.float64), []
    for t in range(T):
        (h,) = gru_decay(torch.cat([x[:, t], dt[:, t, None]], -1), (h,), net.weights(0, 0))[1]
        h.retain_grad()
        states.append(h)
    states[-1].square().sum().backward()
    norms = [state.grad.square().sum(-1).mean().sqrt().item() for state in states]
    np.testing.assert_allclose(flow.layers[0].norms["h"], norms, rtol=1e-9)
    with pytest.raises(TensorError, match="cell `gru_decay` also reads dt"):
        gradient_flow(net, x)


def test_the_dynamics_know_of_the_time_that_passes(net):
    x, dt = drawn()
    net.assign(0, 0, "G.h", torch.ones(H, dtype=torch.float64))
    slow = gradient_flow(net, x, inputs={"dt": 0 * dt}).layers[0].dynamics
    fast = gradient_flow(net, x, inputs={"dt": 9 + dt}).layers[0].dynamics
    assert fast.predicted_slope < slow.predicted_slope - 5  # exp(-9) of the state is left
    assert fast.lyapunov < slow.lyapunov - 5


class Model(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x, dt, **options):
        return self.layers(x, dt=dt, **options)[0]


def test_layers_of_a_model_are_looked_into_with_what_they_read(net):
    (x, dt), model = drawn(), Model(net)
    (view,) = look_inside(model, lambda: model(x[:1], dt[:1]))
    expected = net.record(x[:1], dt=dt[:1])["gamma"][0][0]
    np.testing.assert_allclose(view.quantities["gamma"], expected.detach().numpy(), rtol=1e-6)
    lengths = torch.tensor([6, 2, 4])
    spoiled = dt.masked_fill(torch.arange(T) >= lengths[:, None], torch.nan)
    (health,) = layer_health(model, lambda: model(x, spoiled, lengths=lengths))
    (other,) = layer_health(model, lambda: model(x, dt, lengths=lengths))
    assert health.slope == other.slope
    assert np.isfinite(health.slope["h"])
