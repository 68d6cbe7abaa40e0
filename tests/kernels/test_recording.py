"""Every named quantity at every step: the same from kernels as from plain PyTorch."""

import pytest
import torch

import loopcell
from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.errors import InputError
from tests.kernels.test_laws import ALL
from tests.laws.table import case


def both(net, x, *names, **options):
    fused = net.record(x, *names, **options)
    with loopcell.backend("reference"):
        plain = net.record(x, *names, **options)
    assert list(fused) == list(plain)
    for name in plain:
        for ours, theirs in zip(fused[name], plain[name], strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6), name
    return fused


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_layer_norm", "min_gru", "sru", "lstm_projected"])
def test_every_name_of_a_cell(name):
    tried = case(ALL[name], hidden_size=19)
    net = tried.net(num_layers=2, dtype=torch.float32)
    seen = both(net, tried.inputs().float())
    assert set(net.cell.states) <= set(seen)
    for state in net.cell.states:
        for layer, values in enumerate(seen[state]):
            assert torch.allclose(values[-1], seen.state[state][layer])


def test_gates_are_what_the_equations_say():
    net = LSTM(3, 5)
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        seen = net.record(x, "i", "f", "g", "c")
    (i,), (f,), (g,), (c,) = (seen[name] for name in "ifgc")
    before = torch.cat([torch.zeros(1, 2, 5), c[:-1]])
    assert torch.allclose(f * before + i * g, c, atol=1e-6)
    assert torch.equal(seen.output, net(x)[0])


def test_lengths_directions_and_batch_first():
    net = GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    x = torch.randn(3, 6, 3)
    lengths = torch.tensor([6, 2, 0])
    seen = both(net, x, "z", "h", lengths=lengths)
    assert [list(value.shape) for value in seen["z"]] == [[3, 6, 5]] * 4
    for values in seen["z"]:
        assert (values[1, 2:] == 0).all()
        assert (values[2] == 0).all()
        assert (values[0] != 0).all()
    forward, backward = seen["h"][2:]
    assert torch.allclose(torch.cat([forward, backward], -1), seen.output)


def test_training_goes_on_beside_a_recording():
    net = LSTM(3, 5)
    x = torch.randn(4, 2, 3)
    seen = net.record(x, "f")
    assert not seen["f"][0].requires_grad
    seen.output.sum().backward()
    expected = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    net(x)[0].sum().backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient)


def test_a_name_that_is_not_there():
    net = LSTM(3, 5)
    with pytest.raises(InputError, match="cell `lstm` has no value named 'z'; it has i, f, g, o, c, h"):
        net.record(torch.zeros(1, 1, 3), "z")
    with pytest.raises(InputError, match="nothing was recorded under 'c'; there is f"):
        net.record(torch.zeros(1, 1, 3), "f")["c"]
    with pytest.raises(InputError, match="not a PackedSequence"):
        net.record(torch.nn.utils.rnn.pack_sequence([torch.zeros(2, 3)]), "f")
    assert "f: [[1, 1, 5]]" in repr(net.record(torch.zeros(1, 1, 3), "f"))


def test_one_sequence_without_a_batch():
    net = Recurrent(cells.get("gru"), 3, 5)
    assert net.record(torch.zeros(4, 3), "r")["r"][0].shape == (4, 5)
