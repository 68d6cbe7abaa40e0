"""The gradient that comes back to the whole state, beside autograd's."""

import pytest
import torch

import loopcell
from loopcell.comparison import OnProblem, compare
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


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_count_from_their_own_end(batch_first):
    @loopcell.cell
    def fading(x, h, *, W):
        return 0.5 * h + W.h @ x

    net = loopcell.Recurrent(fading, 3, 5, batch_first=batch_first).double()
    x = torch.randn(4, 6, 3) if batch_first else torch.randn(6, 4, 3)
    # Whatever a row's length, half of the gradient is left one step back; the last output lies along a unit vector.
    rows = norms_back(net, x.double(), lengths=[6, 2, 4, 1])
    assert rows == pytest.approx([0.5**step for step in range(6)], rel=1e-3)
    assert norms_back(net, x.double()) == pytest.approx(rows, rel=1e-3)


def test_a_state_that_is_handed_on_is_left_out():
    @loopcell.cell
    def carrying(x, h, k, *, W):
        return 0.5 * h + W.h @ x + 0.0 * k, k

    net = loopcell.Recurrent(carrying, 3, 5)
    assert norms_back(net, torch.randn(3, 2, 3)) == pytest.approx([1.0, 0.5, 0.25], rel=1e-3)

    @loopcell.cell
    def resting(x, h, *, W):
        return W.h @ x + h, h

    assert norms_back(loopcell.Recurrent(resting, 3, 5), torch.randn(3, 2, 3)) == []
    found = compare(OnProblem(name="recall", updates=1, hidden_size=4, distances=(2,)), ["rnn", carrying], seeds=1)
    assert len(found.runs[1].gradient["end"]) == found.runs[1].shape["steps"]


def test_of_several_layers_and_directions_it_is_the_last_forward_one():
    torch.manual_seed(0)
    net, x = loopcell.GRU(3, 4, num_layers=2, bidirectional=True), torch.randn(5, 2, 3)
    flow = loopcell.insight.gradient_flow(net, x, lambda y: y[-1].sum(), dynamics=False)
    assert (flow.layers[2].layer, flow.layers[2].direction) == (1, 0)
    assert norms_back(net, x, lambda y: y[-1].sum()) == pytest.approx(list(flow.layers[2].back("h")), rel=1e-3)
