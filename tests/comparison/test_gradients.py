"""The gradient that comes back to the whole state, beside autograd's."""

import pytest
import torch

import loopcell
from loopcell.comparison.gradients import norms_back


def test_the_norms_are_those_of_autograd_from_the_last_step_back():
    torch.manual_seed(0)
    net, x = loopcell.Recurrent("rnn", 3, 5).double(), torch.randn(6, 1, 3, dtype=torch.float64)
    found = norms_back(net, x, lambda y: y[-1].square().sum())
    states, h = [], torch.zeros(1, 5, dtype=torch.float64)
    for step in x:
        h = torch.tanh(step @ net.l0.W.h.T + h @ net.l0.U.h.T + net.l0.b.h)
        states.append(h)
    gradients = torch.autograd.grad(states[-1].square().sum(), states)
    assert found == pytest.approx([float(gradient.norm()) for gradient in reversed(gradients)], rel=1e-3)


def test_all_states_of_a_cell_count():
    torch.manual_seed(0)
    net, x = loopcell.Recurrent("lstm", 3, 5), torch.randn(6, 2, 3)
    flow = loopcell.insight.gradient_flow(net, x, dynamics=False).layers[0]
    expected = (flow.back("h") ** 2 + flow.back("c") ** 2) ** 0.5
    assert norms_back(net, x) == pytest.approx(list(expected), rel=1e-3)
