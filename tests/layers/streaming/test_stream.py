"""A network's stream on the reference path: chunks, state, files, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from loopcell import GRU, LSTM, NetworkStream, Recurrent, State, StreamState, cells
from loopcell.errors import ArgumentError, FileFormatError, InputError, UsageError
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file
from tests.layers.streaming.same import cut, inputs_of, network, same


@pytest.fixture
def net():
    torch.manual_seed(0)
    return LSTM(3, 6, 2).eval()


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_time_aware", "gru_decay", "lstm_projected"])
@settings(max_examples=5)
@given(sizes=st.lists(st.sampled_from([0, 1, 2, 5]), max_size=6))
def test_chunks_of_any_size_are_each_other_and_near_the_whole(name, sizes):
    net = network(cells.get(name), hidden_size=6)
    x, further = inputs_of(net, 11, 1)
    with torch.no_grad():
        y, _ = net(x, **further)
    one, other = net.stream(), net.stream()
    assert not one.fused
    whole = one.feed(x[:, 0], **{name: tensor[:, 0] for name, tensor in further.items()})
    parts = [
        other.feed(x[part, 0], **{name: tensor[part, 0] for name, tensor in further.items()}) for part in cut(11, sizes)
    ]
    assert same(torch.cat(parts), whole)
    torch.testing.assert_close(whole, y[:, 0], rtol=1e-5, atol=1e-6)


def test_batch_first_and_training_mode_are_the_callers(net):
    first = LSTM(3, 6, 2, batch_first=True, dropout=0.5)
    first.load_state_dict(net.state_dict())
    x = torch.randn(7, 3)
    assert same(first.stream().feed(x), net.stream().feed(x))
    assert first.training


def test_a_stream_goes_on_where_a_call_ended(net):
    x = torch.randn(9, 1, 3)
    with torch.no_grad():
        whole, _ = net(x)
        _, (h, c) = net(x[:4])
    for state in (State(h=h, c=c), State(h=h[:, 0], c=c[:, 0])):
        torch.testing.assert_close(net.stream(state).feed(x[4:, 0]), whole[4:, 0])
    with pytest.raises(InputError, match=r"one row; got .*take a row with state\.select"):
        net.stream(State(h=h.expand(2, 2, 6), c=c.expand(2, 2, 6)))
    with pytest.raises(InputError, match=r"state `h` is torch\.float64, and the stream's is torch\.float32"):
        net.stream(State(h=h.double(), c=c.double()))


def test_state_reset_fork_and_copies(net):
    x = torch.randn(8, 3)
    stream = net.stream()
    first = stream.feed(x)
    state = stream.state
    assert repr(state) == "<state of a stream of 8 rows, of a network>"
    forks = [stream.fork(), copy.copy(stream), copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))]
    later = stream.feed(x)
    for fork in forks:
        assert fork.rows == 8
        assert same(fork.feed(x), later)
    stream.state = state
    assert same(stream.feed(x), later)
    stream.reset()
    assert stream.rows == 0
    assert same(stream.feed(x), first)
    assert all(not tensor.any() for tensor in net.stream().state.tensors.values())


def test_a_file_that_need_not_be_there_yet(net, tmp_path):
    x, file = torch.randn(8, 3), tmp_path / "s.state"
    expected = net.stream().feed(x)
    with net.stream(file) as stream:
        stream.feed(x[:5])
        fork = stream.fork()
    with fork:
        fork.feed(x)  # the file is the first one's
    with net.stream(file) as stream:
        assert stream.rows == 5
        assert same(stream.feed(x[5:]), expected[5:])
    with net.stream(file) as stream:
        stream.feed(x)
        with pytest.raises(InputError):
            stream.feed(x[0])
    assert StreamState.load(file).rows == 16


def test_a_state_of_another_model_is_refused(net, tmp_path):
    file = tmp_path / "s.state"
    net.stream().save(file)
    other = LSTM(3, 6, 2)
    with pytest.raises(UsageError, match=r"s\.state is the state of another LSTM, whose weights are not those of this"):
        other.stream(file)
    other.load_state_dict(net.state_dict())
    assert other.stream(file).rows == 0  # the same network by all that it computes with
    pool = net.streams(2)
    with pytest.raises(UsageError, match=r"another kind of model \(network\), not of this one \(network-streams\)"):
        pool.load(file)
    with pytest.raises(UsageError, match="of a stream is a StreamState"):
        net.stream().state = {"h": 1}
    relu = Recurrent("rnn_relu", 3, 6)
    tanh = Recurrent("rnn", 3, 6)
    tanh.load_state_dict(relu.state_dict())
    with pytest.raises(UsageError, match="another Recurrent"):  # the same weights, other equations
        tanh.stream(relu.stream().state)


def hostile(state):
    """Other states than a stream gives: (what is wrong, the state)."""
    named = dict(vars(state))
    h = state.tensors["h"]

    def other(**changes):
        return StreamState(**{**named, **changes})

    yield "shape", other(tensors={**state.tensors, "h": h[:1]})
    yield "dtype", other(tensors={**state.tensors, "h": h.double()})
    yield "missing", other(tensors={"h": h})
    yield "more", other(tensors={**state.tensors, "x": h})


def test_a_damaged_state_is_refused_and_nothing_has_changed(net, tmp_path):
    stream, file = net.stream(), tmp_path / "s.state"
    stream.feed(torch.randn(3, 3))
    before = stream.state
    for what, state in hostile(stream.state):
        state.save(file)
        with pytest.raises(FileFormatError, match=r"s\.state is damaged: it does not describe a stream of this model"):
            stream.load(file)
        assert stream.rows == 3, what
        assert all(same(tensor, before.tensors[name]) for name, tensor in stream.state.tensors.items())


def test_a_torn_file_is_refused_at_every_length(net, tmp_path):
    file = tmp_path / "s.state"
    net.stream().save(file)
    whole = file.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 40).astype(int):
        file.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"s\.state is not a loopcell state of a stream, or not a whole one"):
            net.stream(file)
    file.write_bytes(whole + b"x")
    with pytest.raises(FileFormatError):
        net.stream(file)


def test_what_does_not_fit_is_refused(net):
    with pytest.raises(InputError, match="bidirectional network reads the future"):
        LSTM(3, 5, bidirectional=True).stream()
    stream = net.stream()
    for frame in (torch.zeros(1, 3), torch.zeros(2), torch.zeros(3, dtype=torch.float64), np.zeros(3), [0.0] * 3):
        with pytest.raises(InputError, match=r"a stream takes torch\.float32 \[3\] on cpu; got"):
            stream.step(frame)
    for chunk in (torch.zeros(3), torch.zeros(2, 1, 3), torch.zeros(2, 4)):
        with pytest.raises(InputError, match=r"a stream takes torch\.float32 \[steps, 3\] on cpu; got"):
            stream.feed(chunk)
    with pytest.raises(ArgumentError, match="no argument 'dt'"):
        stream.step(torch.zeros(3), dt=torch.ones(()))
    with pytest.raises(InputError, match="also reads dt"):
        Recurrent("lstm_time_aware", 3, 5).stream().step(torch.zeros(3))
    assert stream.rows == 0


def test_inference_mode_leaves_a_stream_that_goes_on_outside(net):
    x = torch.randn(6, 3)
    stream = net.stream()
    with torch.inference_mode():
        first = stream.feed(x[:3])
    rest = stream.feed(x[3:])
    assert same(torch.cat([first.clone(), rest]), net.stream().feed(x))
    assert isinstance(stream, NetworkStream)
    assert not rest.requires_grad


def test_weights_are_those_of_the_making(net):
    x = torch.randn(4, 3)
    stream = net.stream()
    before = stream.fork().feed(x)
    with torch.no_grad():
        net.bias_ih_l0.add_(1)
    assert same(stream.feed(x), before)
    stream.reset()
    stream.refresh()
    assert same(stream.feed(x), net.stream().feed(x))
    stream.reset()
    assert stream.rows == 0


def test_a_gru_without_biases_and_one_number():
    net = GRU(1, 1, bias=False)
    x = torch.randn(5, 1)
    assert net.stream().feed(x).shape == (5, 1)
    assert net.stream().feed(x[:0]).shape == (0, 1)


def test_a_bit_that_flipped_in_a_file_is_found(tmp_path):
    stream, file = LSTM(1, 2).stream(), tmp_path / "s.state"
    stream.feed(torch.randn(3, 1))
    stream.save(file)
    content = file.read_bytes()
    first = 8 + int.from_bytes(content[:8], "little")
    assert len(content) - first == 2 * 2 * 4  # h and c, two float32 each
    for place in range(first, len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        for load in (StreamState.load, stream.load):
            with pytest.raises(FileFormatError, match=r"s\.state is damaged: its tensors are not those that were writ"):
                load(file)
    file.write_bytes(content)
    stream.load(file)
    assert stream.rows == 3


def test_a_file_from_before_there_was_a_digest_is_read(net, tmp_path):
    stream, file = net.stream(), tmp_path / "s.state"
    stream.feed(torch.randn(3, 3))
    facts = {name: getattr(stream.state, name) for name in ("task", "model", "rows", "layout", "facts")}
    old = FileKind("loopcell-stream-state", 1, "a file of an older version")
    write_tensor_file(file, old, TensorFile(dict(stream.state.tensors), facts))
    assert "digest" not in read_tensor_file(file, old).facts
    assert same(net.stream(file).state.tensors["h"], stream.state.tensors["h"])
