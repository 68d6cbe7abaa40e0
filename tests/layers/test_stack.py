"""What all networks share: they travel, and their boundary says what is wrong with a state or a size."""

from __future__ import annotations

import copy
import dataclasses
import io
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils.parametrizations import orthogonal
from torch.nn.utils.rnn import pack_padded_sequence

from loopcell import GRU, LSTM, RNN, Recurrent, State, cell, cells, sized, tanh
from loopcell.errors import InputError
from loopcell.runtime import Executable


@cell
def notebook(x, h, *, W, U):
    """A cell that no library has."""
    return tanh(W.h @ x + U.h @ h)


def networks():
    return [
        Recurrent(notebook, 3, 4, num_layers=2, bidirectional=True, dropout=0.2),
        Recurrent(cells.get("lstm_projected"), 3, 4, sizes={"proj": 2}),
        Recurrent(cells.zoneout(cells.get("gru"), 0.1), 3, 4),
        RNN(3, 4),
        LSTM(3, 4, num_layers=2),
        GRU(3, 4, bidirectional=True),
    ]


def through_torch(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


# -- travelling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", networks(), ids=lambda net: f"{type(net).__name__}-{net.cell.name}")
@pytest.mark.parametrize(
    "travel",
    [lambda net: pickle.loads(pickle.dumps(net)), through_torch, copy.deepcopy],
    ids=["pickle", "torch", "copy"],
)
def test_a_network_travels(net, travel):
    net.eval()
    x = torch.randn(5, 2, 3)
    expected, _ = net(x)
    other = travel(net)
    assert type(other) is type(net)
    assert torch.equal(other(x)[0], expected)
    assert other.cell.fingerprint == net.cell.fingerprint
    assert not other.training
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    assert torch.equal(net(x)[0], expected)
    other(x)[0].sum().backward()
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_travels(name):
    known = cells.get(name)
    again = pickle.loads(pickle.dumps(known))
    assert (again.fingerprint, again.doc, again.initial) == (known.fingerprint, known.doc, known.initial)
    assert again.graph == known.graph


def test_a_copy_builds_nothing_anew(monkeypatch):
    net = LSTM(3, 4)
    monkeypatch.setattr(Executable, "__init__", lambda *_: pytest.fail("a copy was built anew"))
    other = copy.deepcopy(torch.nn.Sequential(net, torch.nn.Dropout()))[0]
    assert other.cell is net.cell
    assert other.weight_ih_l0 is not net.weight_ih_l0


def test_a_copy_keeps_what_is_shared_shared():
    net = GRU(3, 4)
    pair = copy.deepcopy(torch.nn.ModuleList([net, net]))
    assert pair[0] is pair[1]


@pytest.mark.parametrize("net", networks(), ids=lambda net: f"{type(net).__name__}-{net.cell.name}")
def test_a_pickle_holds_settings_and_parameters_alone(net):
    """So that the classes in it are few, and a later version reads it."""
    net(torch.zeros(5, 2, 3))
    pickled = pickle.dumps(net)
    for made in (b"StackSpec", b"CallCache", b"Executable", b"KernelCall"):
        assert made not in pickled


@pytest.mark.parametrize("net", networks(), ids=lambda net: f"{type(net).__name__}-{net.cell.name}")
def test_a_pickle_of_the_version_before_is_read(net):
    """It had the number of steps between checkpoints under another name, and nothing else that is made anew."""
    net.eval()
    state = {**net.__getstate__(), "_kept_steps": 3}
    for name in ("_spec", "_calls", "checkpoint_steps"):
        del state[name]
    old = type(net).__new__(type(net))
    old.__setstate__(state)
    x = torch.randn(5, 2, 3)
    assert torch.equal(old(x)[0], net(x)[0])
    assert (old.checkpoint_steps, old.spec.checkpoint_steps) == (3, 3)
    assert "_kept_steps" not in vars(old)
    with pytest.raises(TypeError):
        old.sizes["hidden"] = 5


def test_a_copy_has_the_spec_and_a_cache_of_its_own():
    net = GRU(3, 4)
    for other in (copy.deepcopy(net), copy.copy(net), copy.deepcopy(orthogonal(net, "weight_hh_l0"))):
        assert other.spec is net.spec
        assert other._calls is not net._calls


def test_a_spec_follows_the_settings_and_never_changes():
    net = LSTM(3, 4, num_layers=2)
    before = net.spec
    net.dropout, net.batch_first = 0.5, True
    net.gradient_checkpointing_enable(3)
    assert (before.dropout, before.batch_first, before.checkpoint_steps) == (0.0, False, None)
    assert (net.spec.dropout, net.spec.batch_first, net.spec.checkpoint_steps) == (0.5, True, 3)
    assert net.spec.executables is before.executables
    now = net.spec
    net.dropout = 0.5
    assert net.spec is now
    with pytest.raises(dataclasses.FrozenInstanceError):
        now.dropout = 0.1


def test_a_parametrised_network_is_copied():
    net = orthogonal(GRU(3, 4, bias=False), "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    assert torch.equal(copy.deepcopy(net)(x)[0], net(x)[0])


# -- states --------------------------------------------------------------------------------------------------------


def lstm(**options):
    return Recurrent(cells.get("lstm"), 3, 4, **options)


def test_a_state_of_another_dtype():
    net = lstm()
    with pytest.raises(
        InputError,
        match=r"state `h` is torch.float64 and the input torch.float32; convert it: state.to\(torch.float32\)",
    ):
        net(torch.zeros(5, 2, 3), net.initial_state(2, dtype=torch.float64))
    with pytest.raises(InputError, match=r"state `h` is torch.float64"):
        LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4).double(), torch.zeros(1, 2, 4).double()))


def test_a_network_without_parameters_takes_the_inputs_dtype():
    @cell
    def echo(x, h, *, W):
        return 0.5 * h + 0.5 * sized(x, "hidden")

    net = Recurrent(echo, 2, 2)
    y, state = net(torch.ones(3, 1, 2, dtype=torch.float64), net.initial_state(1))
    assert y.dtype == state.h.dtype == torch.float64
    assert y[:, 0, 0].tolist() == [0.5, 0.75, 0.875]


def test_a_state_without_axes():
    with pytest.raises(InputError, match=r"state `h` must be .* = \[1, 1, 4\]; got \[\]"):
        GRU(3, 4)(torch.zeros(5, 3), torch.tensor(0.0))


def test_autocast_hands_its_states_on():
    net, x = lstm(), torch.randn(5, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, state = net(x)
        _, state = net(x, state.to(torch.bfloat16))
    assert torch.isfinite(state.h).all()


def test_the_order_of_a_state_does_not_matter():
    net, x = lstm(), torch.randn(5, 2, 3)
    h, c = torch.randn(2, 1, 2, 4)
    expected, after = net(x, State(h=h, c=c))
    y, other = net(x, State(c=c, h=h))
    assert torch.equal(y, expected)
    assert tuple(other) == tuple(after) == ("h", "c")


@pytest.mark.parametrize("batch", [1, 9])
def test_packed_input_with_a_state_for_another_batch(batch):
    packed = pack_padded_sequence(torch.randn(5, 3, 3), torch.tensor([2, 5, 1]), enforce_sorted=False)
    sentence = rf"state `h` must be \[layers \* directions, batch, size\] = \[1, 3, 4\]; got \[1, {batch}, 4\]"
    with pytest.raises(InputError, match=sentence):
        lstm()(packed, lstm().initial_state(batch))


def test_packed_input_with_something_else_for_a_state():
    packed = pack_padded_sequence(torch.randn(5, 3, 3), torch.tensor([2, 5, 1]), enforce_sorted=False)
    with pytest.raises(InputError, match=r"the state must be a loopcell.State, as a call returns it; got tuple"):
        lstm()(packed, (torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)))


def test_a_cell_whose_state_cannot_be_one():
    @cell
    def clash(x, h, values, *, W):
        new = tanh(W.h @ x + h)
        return new, 0.5 * values

    with pytest.raises(InputError, match=r"a state cannot be named `values`: State has an attribute of that name"):
        Recurrent(clash, 3, 4)


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_sizes_of_numpy():
    three, four, two = np.int64(3), np.int32(4), np.uint8(2)
    net = Recurrent(cells.get("lstm_projected"), three, four, num_layers=two, sizes={"proj": two})
    assert net(torch.zeros(5, 1, 3))[0].shape == (5, 1, 2)
    for made in (RNN(three, four, two), GRU(three, four, two), LSTM(three, four, two, proj_size=two)):
        assert made(torch.zeros(5, 1, 3))[0].shape[:2] == (5, 1)
        assert (type(made.input_size), type(made.hidden_size), type(made.num_layers)) == (int, int, int)


@pytest.mark.parametrize("network", [lambda *sizes: Recurrent(cells.get("gru"), *sizes)])
@pytest.mark.parametrize("size", [4.0, "4", None])
def test_sizes_that_are_none(network, size):
    with pytest.raises(InputError, match=rf"the size 'hidden' must be a whole number of at least 1, not {size!r}"):
        network(3, size)
    with pytest.raises(InputError, match=rf"num_layers must be a whole number of at least 1, not {size!r}"):
        network(3, 4, size)
