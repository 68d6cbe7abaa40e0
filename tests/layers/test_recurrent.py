"""Recurrent at its boundary: forms of input, names of parameters, and what is refused, word for word."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils import prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import loopcell
from loopcell import GRU, LSTM, RNN, Recurrent, State, cell, cells, chrono_, forget_bias_, orthogonal_, tanh
from loopcell.errors import InputError, UsageError


def lstm(**options):
    return Recurrent(cells.get("lstm"), 3, 4, **options)


def test_parameters_keep_the_authors_names():
    names = list(lstm(num_layers=2, bidirectional=True).state_dict())
    assert names[:3] == ["l0.W.i", "l0.W.f", "l0.W.g"]
    assert {name.partition(".")[0] for name in names} == {"l0", "l0_reverse", "l1", "l1_reverse"}
    assert lstm().l0.W.i.shape == (4, 3)


def test_start_values():
    torch.manual_seed(0)
    net = Recurrent(cells.get("lstm_layer_norm"), 3, 400)
    weights = net.weights(0, 0)
    assert weights["U.i"].abs().max() <= 1 / 20
    assert weights["U.i"].std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.02)
    assert weights["gain.ih"].eq(1).all()
    assert weights["shift.i"].eq(0).all()


def test_it_says_what_runs_it():
    assert [str(plan).split(":")[0] for plan in lstm(num_layers=2).plan()] == ["lstm", "lstm"]
    with loopcell.backend("reference"):
        assert "reference" in str(lstm().plan()[0])


def test_repr():
    assert repr(lstm(num_layers=2, dropout=0.1, batch_first=True)).startswith(
        "Recurrent(\n  lstm, 3, 4, num_layers=2, batch_first=True, dropout=0.1"
    )


def test_a_cell_without_parameters():
    @cell
    def echo(x, h, *, W):
        return 0.5 * h + 0.5 * loopcell.sized(x, "hidden")

    y, state = Recurrent(echo, 2, 2)(torch.ones(3, 1, 2))
    assert y[:, 0, 0].tolist() == [0.5, 0.75, 0.875]
    assert state.h.shape == (1, 1, 2)


def test_packed_input_comes_back_packed():
    net, x = lstm(bidirectional=True, num_layers=2), torch.randn(6, 3, 3)
    lengths = torch.tensor([2, 6, 1])
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    y, state = net(packed)
    expected, expected_state = net(x, lengths=lengths)
    assert torch.allclose(pad_packed_sequence(y)[0], expected)
    assert torch.allclose(state.c, expected_state.c)
    assert torch.equal(y.sorted_indices, packed.sorted_indices)
    with pytest.raises(InputError, match=r"a PackedSequence carries its own lengths"):
        net(packed, lengths=lengths)


def test_autocast_runs():
    net = lstm()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = net(torch.randn(5, 2, 3))
    assert torch.isfinite(y.float()).all()
    assert state.h.shape == (1, 2, 4)


def test_meta_device():
    net = lstm(device="meta")
    assert net(torch.empty(5, 2, 3, device="meta"))[0].shape == (5, 2, 4)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            torch.zeros(5, 2, 7),
            r"\[time, batch, 3\], or \[time, 3\] for one sequence; got \[5, 2, 7\], whose last axis is 7",
        ),
        (torch.zeros(3), r"the input must be a float tensor .* got a tensor \[3\]"),
        ([[1.0]], "the input must be a float tensor .* got list"),
        (
            torch.zeros(5, 2, 3, dtype=torch.float64),
            r"the input is torch.float64 and the network torch.float32; convert one",
        ),
        (
            torch.zeros(5, 2, 3, dtype=torch.int64),
            r"the input is torch.int64 and the network torch.float32; convert one",
        ),
        (torch.zeros(5, 2, 3, device="meta"), r"the input is on meta and the network on cpu; move one: x.to\('cpu'\)"),
    ],
)
def test_wrong_input(x, sentence):
    with pytest.raises(InputError, match=sentence):
        lstm()(x)


def test_batch_first_is_in_the_sentence():
    with pytest.raises(InputError, match=r"\[batch, time, 3\]"):
        lstm(batch_first=True)(torch.zeros(2, 5, 4))


def test_wrong_state():
    net, x = lstm(), torch.zeros(5, 2, 3)
    with pytest.raises(InputError, match=r"must be a loopcell.State, as a call returns it; got tuple"):
        net(x, (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))
    with pytest.raises(InputError, match=r"cell `lstm` has the states h, c; the given one has h"):
        net(x, State(h=torch.zeros(1, 2, 4)))
    with pytest.raises(
        InputError, match=r"state `h` must be \[layers \* directions, batch, size\] = \[1, 2, 4\]; got \[1, 3, 4\]"
    ):
        net(x, State(h=torch.zeros(1, 3, 4), c=torch.zeros(1, 2, 4)))


def test_wrong_lengths():
    net, x = lstm(), torch.zeros(5, 2, 3)
    with pytest.raises(
        InputError, match=r"lengths must lie between 0 and the number of steps, 5; they run from 0 to 6"
    ):
        net(x, lengths=torch.tensor([0, 6]))
    with pytest.raises(InputError, match=r"lengths must be whole numbers \[2\], one a row; got torch.float32 \[2\]"):
        net(x, lengths=torch.ones(2))
    with pytest.raises(InputError, match=r"lengths must be whole numbers \[2\]"):
        net(x, lengths=torch.tensor([1, 2, 3]))


def test_wrong_reset():
    net, x = lstm(), torch.zeros(5, 2, 3)
    with pytest.raises(
        InputError, match=r"reset must have one entry a step and row, \[5, 2\] with time first; got \[2, 5\]"
    ):
        net(x, reset=torch.zeros(2, 5, dtype=torch.bool))
    with pytest.raises(
        InputError, match=r"reset must be a bool tensor, true on the first step of an episode; got torch.float32"
    ):
        net(x, reset=torch.zeros(5, 2))


def test_wrong_construction():
    with pytest.raises(InputError, match=r"a cell is made by @cell, or named as one of loopcell.cells; got a value of"):
        Recurrent(3, 3, 4)
    with pytest.raises(InputError, match=r"num_layers must be a whole number of at least 1, not 0"):
        lstm(num_layers=0)
    with pytest.raises(InputError, match=r"dropout is the probability of dropping an output, from 0 to 1, not 1.5"):
        lstm(dropout=1.5)
    with pytest.raises(InputError, match=r"the size 'hidden' must be a whole number of at least 1, not -4"):
        Recurrent(cells.get("lstm"), 3, -4)

    @cell
    def clash(x, h, *, W):
        return tanh(W.forward @ x + h)

    with pytest.raises(InputError, match=r"a parameter cannot be named 'W.forward'"):
        Recurrent(clash, 3, 4)


# -- initialisers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "net", [lstm(num_layers=2), LSTM(3, 4, num_layers=2), GRU(3, 4), RNN(3, 4, bidirectional=True)]
)
def test_orthogonal(net):
    orthogonal_(net, gain=2.0)
    for place in net.places():
        for name, matrix in net.weights(*place).items():
            if matrix.dim() == 2:
                orthogonal = torch.allclose(matrix @ matrix.T, 4 * torch.eye(4), atol=1e-5)
                assert orthogonal == name.startswith("U."), name


@pytest.mark.parametrize("net", [lstm(bidirectional=True), LSTM(3, 4, bidirectional=True)])
def test_forget_bias(net):
    before = {name: value.clone() for name, value in net.weights(0, 1).items()}
    forget_bias_(net, 1.0)
    after = net.weights(0, 1)
    assert after["b.f"].eq(1).all()
    assert torch.equal(after["b.i"], before["b.i"])
    with pytest.raises(InputError, match=r"cell `gru` has no parameter 'b.f'; it has W.r"):
        forget_bias_(GRU(3, 4))


def test_chrono():
    torch.manual_seed(0)
    net = chrono_(Recurrent(cells.get("lstm"), 3, 2000), longest=100)
    forget = net.weights(0, 0)["b.f"]
    scales = forget.exp()
    assert scales.min() >= 1
    assert scales.max() <= 99
    assert scales.mean().item() == pytest.approx(50, rel=0.05)
    assert torch.equal(net.weights(0, 0)["b.i"], -forget)
    with pytest.raises(InputError, match=r"at least 3 steps, not 2"):
        chrono_(net, longest=2)


@pytest.mark.parametrize(("name", "sign"), [("gru", 1), ("min_gru", -1)])
def test_chrono_of_one_gate_that_keeps_and_lets_in(name, sign):
    net = chrono_(Recurrent(cells.get(name), 3, 500, num_layers=2, bidirectional=True), longest=50)
    for place in net.places():
        scales = (sign * net.weights(*place)["b.z"]).exp()  # in steps: what is kept falls to 1/e in about so many
        assert scales.min() >= 1
        assert scales.max() <= 49
        assert scales.mean().item() == pytest.approx(25, rel=0.1)


def test_chrono_of_named_gates():
    net = chrono_(Recurrent(cells.get("min_lstm"), 3, 4), longest=10, forget="b.f", enter="b.i")
    assert torch.equal(net.weights(0, 0)["b.f"], -net.weights(0, 0)["b.i"])
    with pytest.raises(InputError, match=r"cell `gru` has no parameter 'b.f'"):
        chrono_(GRU(3, 4), longest=10, forget="b.f")
    with pytest.raises(InputError, match=r"cell `rnn` has no gate that keeps its state"):
        chrono_(RNN(3, 4), longest=10)


@pytest.mark.parametrize("backend", ["auto", "native", "reference"])
def test_pruning_and_weight_norm_by_hooks(backend):
    """torch.nn.utils.prune computes a parameter in a hook before each call of the module that holds it."""
    net, x = Recurrent(cells.get("gru"), 3, 4), torch.randn(5, 2, 3)
    with loopcell.backend(backend):
        net(x)
        prune.l1_unstructured(net.l0.U, "n", amount=0.5)
        optimizer = torch.optim.SGD(net.parameters(), 0.5)
        for _ in range(3):
            optimizer.zero_grad()
            net(x)[0].sum().backward()
            optimizer.step()
        y, _ = net(x)
        plain = Recurrent(cells.get("gru"), 3, 4)
        weights = net.l0.U.n_orig * net.l0.U.n_mask
        assert torch.equal(net.l0.U.n, weights)
        assert int((weights == 0).sum()) == 8
        state = {name.replace("n_orig", "n"): value for name, value in net.state_dict().items() if "mask" not in name}
        plain.load_state_dict({**state, "l0.U.n": weights})
        torch.testing.assert_close(y, plain(x)[0])


def test_a_cell_is_set_by_its_name_too():
    torch.manual_seed(0)
    net = Recurrent("rnn", 3, 4)
    x = torch.randn(5, 2, 3)
    net.cell = "rnn_relu"
    assert net.cell is cells.get("rnn_relu")
    assert (net(x)[0] >= 0).all()
    with pytest.raises(UsageError, match="did you mean 'gru'"):
        net.cell = "gruu"
    with pytest.raises(InputError, match="a value of type int"):
        net.cell = 3
    assert (net(x)[0] >= 0).all()  # what is refused leaves the network as it was
