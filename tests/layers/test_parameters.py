"""Parameters that are not plain: computed by torch's parametrizations, or shared."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import orthogonal, weight_norm

from loopcell import GRU, LSTM, Recurrent, cell, cells, forget_bias_, orthogonal_
from loopcell.errors import InputError


class Doubled(nn.Module):
    """A parametrization without an inverse."""

    def forward(self, original):
        return 2 * original


def test_a_parametrized_matrix_takes_part():
    net, x = Recurrent(cells.get("rnn"), 3, 4, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    orthogonal(net.l0.U, "h")
    matrix = net.weights(0, 0)["U.h"]
    assert torch.allclose(matrix @ matrix.T, torch.eye(4, dtype=torch.float64))
    plain = Recurrent(cells.get("rnn"), 3, 4, dtype=torch.float64)
    for name, value in net.weights(0, 0).items():
        plain.assign(0, 0, name, value)
    y, _ = net(x)
    assert torch.allclose(y, plain(x)[0])
    y.sum().backward()
    assert net.l0.U.parametrizations.h.original.grad.abs().sum() > 0


def test_a_shared_matrix_takes_part_twice():
    net, x = Recurrent(cells.get("gru"), 4, 4), torch.randn(5, 2, 4)
    net.l0.U.r = net.l0.W.r
    assert net.weights(0, 0)["U.r"] is net.l0.W.r
    plain = Recurrent(cells.get("gru"), 4, 4)
    for name, value in net.weights(0, 0).items():
        plain.assign(0, 0, name, value)
    assert torch.equal(net(x)[0], plain(x)[0])
    for one in (net, plain):
        one(x)[0].sum().backward()
    assert torch.allclose(net.l0.W.r.grad, plain.l0.W.r.grad + plain.l0.U.r.grad, atol=1e-6)


def test_weights_come_in_the_equations_order():
    net = Recurrent(cells.get("lstm"), 3, 4)
    assert list(net.weights(0, 0)) == list(net.cell.graph.parameters)


def rewritten(net, name):
    value = torch.linalg.qr(torch.randn(4, 4)).Q
    net.assign(0, 0, name, value)
    assert torch.allclose(net.weights(0, 0)[name], value, atol=1e-6)


def test_assign_goes_through_a_parametrization():
    net = Recurrent(cells.get("rnn"), 3, 4)
    orthogonal(net.l0.U, "h")
    rewritten(net, "U.h")
    rewritten(weight_norm(GRU(3, 4), "weight_hh_l0"), "U.z")


@pytest.mark.parametrize("packed", [False, True])
def test_assign_says_when_a_parametrization_has_no_inverse(packed):
    net = LSTM(3, 4) if packed else Recurrent(cells.get("lstm"), 3, 4)
    where, name = (net, "bias_ih_l0") if packed else (net.l0.b, "f")
    nn.utils.parametrize.register_parametrization(where, name, Doubled())
    before = net.weights(0, 0)["b.f"].clone()
    with pytest.raises(InputError, match=rf"`{name}` is computed by a parametrization, which cannot give this value: "):
        forget_bias_(net)
    assert torch.equal(net.weights(0, 0)["b.f"], before)


def test_assign_says_when_a_parametrization_gives_something_else():
    net = Recurrent(cells.get("rnn"), 3, 4)
    orthogonal(net.l0.U, "h")
    before = net.weights(0, 0)["U.h"].clone()
    with pytest.raises(InputError, match=r"`h` is computed by a parametrization, which cannot give this value"):
        orthogonal_(net, gain=2.0)
    assert torch.equal(net.weights(0, 0)["U.h"], before)


def test_assign_does_not_write_into_what_is_computed():
    net = Recurrent(cells.get("rnn"), 3, 4)
    prune.identity(net.l0.U, "h")
    with pytest.raises(InputError, match=r"`h` is computed from others, not kept; assign to those"):
        net.assign(0, 0, "U.h", torch.zeros(4, 4))


def test_a_namespace_that_modules_have():
    @cell
    def clash(x, h, *, half):
        return half.h @ x + h

    with pytest.raises(
        InputError,
        match=r"a namespace cannot be named 'half': torch modules have an attribute 'half'; pick another name",
    ):
        Recurrent(clash, 3, 4)


def test_repr_shows_parameters_and_shapes():
    net = Recurrent(cells.get("rnn"), 3, 4, num_layers=2)
    assert repr(net) == (
        "Recurrent(\n"
        "  rnn, 3, 4, num_layers=2\n"
        "  (l0): Parameters(W.h: [4, 3], U.h: [4, 4], b.h: [4])\n"
        "  (l1): Parameters(W.h: [4, 4], U.h: [4, 4], b.h: [4])\n"
        ")"
    )
    assert "\n    U.i: [4, 4], U.f: [4, 4], U.g: [4, 4], U.o: [4, 4],\n" in repr(Recurrent(cells.get("lstm"), 3, 4))
