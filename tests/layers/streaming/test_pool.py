"""A pool of streams on the reference path: who is there, who is not, timeouts, state, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from loopcell import GRU, LSTM, Recurrent, State, StreamPool, StreamState
from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.layers.streaming.lock import OwnLock
from tests.layers.streaming.comings_and_goings import Comings
from tests.layers.streaming.same import same


@pytest.fixture
def net():
    torch.manual_seed(0)
    return GRU(2, 5).eval()


def opened(net, *ids, capacity=4, **limits):
    pool = net.streams(capacity, **limits)
    for id_ in ids:
        pool.open(id_)
    return pool


def test_any_of_them_go_on_in_one_call(net):
    x = torch.randn(3, 2)
    pool = opened(net, "a", 7, "c")
    assert isinstance(pool, StreamPool)
    assert (len(pool), pool.ids, "a" in pool, "b" in pool, pool.capacity, pool.fused) == (
        3,
        ("a", 7, "c"),
        True,
        False,
        4,
        False,
    )
    y = pool.step(x, ["c", "a", 7])
    assert same(y[1], net.stream().step(x[1]))
    later = pool.step(x[:1], ["a"])
    twin = net.stream()
    twin.step(x[1])
    assert same(later[0], twin.step(x[0]))
    assert [pool.steps_of(id_) for id_ in pool.ids] == [2, 1, 1]
    assert pool.rows == 2
    assert pool.step(x[:0], []).shape == (0, 5)
    assert pool.step(x[:1], [np.int64(7)]).shape == (1, 5)


def test_chunks_follow_the_networks_axes(net):
    first = GRU(2, 5, batch_first=True).eval()
    first.load_state_dict(net.state_dict())
    x = torch.randn(4, 3, 2)
    y = opened(net, 0, 1, 2).feed(x, [0, 1, 2])
    assert same(opened(first, 0, 1, 2).feed(x.transpose(0, 1), [0, 1, 2]).transpose(0, 1), y)


def test_further_inputs_have_a_row_each():
    net = Recurrent("lstm_time_aware", 2, 5)
    pool = opened(net, "a", "b")
    x, dt = torch.randn(4, 2, 2), torch.rand(4, 2)
    y = pool.feed(x, ["a", "b"], dt=dt)
    assert same(net.stream().feed(x[:, 1].contiguous(), dt=dt[:, 1].contiguous()), y[:, 1])
    again = opened(net, "a", "b")
    assert same(again.step(x[0], ["a", "b"], dt=dt[0]), y[0])


def test_who_is_not_there_is_an_error_and_nobody_has_gone_on(net):
    pool, x = opened(net, "a", "b"), torch.randn(2, 2)
    with pytest.raises(InputError, match=r"there is no open stream 'z': open\('z'\) begins one"):
        pool.step(x, ["a", "z"])
    with pytest.raises(InputError, match="the stream 'a' is named twice in one call: a call has one row for a stream"):
        pool.step(x, ["a", "a"])
    with pytest.raises(InputError, match=r"a stream takes torch\.float32 \[2, 2\] on cpu; got a tensor \[1, 2\]"):
        pool.step(x[:1], ["a", "b"])
    with pytest.raises(InputError, match=r"a stream is called by a text or a whole number, not \['a'\]"):
        pool.step(x, [["a"], "b"])
    for call in (pool.close, pool.steps_of, pool.state_of, pool.reset):
        with pytest.raises(InputError, match="there is no open stream 3"):
            call(3)
    with pytest.raises(InputError, match="the stream 'a' is open already"):
        pool.open("a")
    for id_ in (None, 1.5, True, ("a",)):
        with pytest.raises(InputError, match="a stream is called by a text or a whole number"):
            pool.open(id_)
    assert [pool.steps_of(id_) for id_ in "ab"] == [0, 0]
    pool.open("c")
    pool.open("d")
    with pytest.raises(InputError, match="all 4 streams are taken: close one, or make a pool of a larger capacity"):
        pool.open("e")


def test_a_slot_is_zero_when_it_is_released(net):
    pool = opened(net, "a", capacity=1)
    pool.step(torch.full((1, 2), float("nan")), ["a"])
    assert pool._table.isnan().any()
    pool.close("a")
    assert not pool._table.any()
    pool.open("b")
    x = torch.randn(1, 2)
    assert same(pool.step(x, ["b"])[0], net.stream().step(x[0]))
    assert pool.steps_of("b") == 1


def test_who_stands_still_is_closed_and_its_state_is_kept(net):
    kept, x = {}, torch.randn(1, 2)
    pool = opened(net, "a", "b", idle_steps=3, on_timeout=kept.__setitem__)
    pool.step(x, ["b"])
    for _ in range(3):
        pool.step(x, ["a"])
    assert pool.expire() == ("b",)
    with pytest.raises(
        InputError, match="the stream 'b' stood still for 3 steps of the pool and was closed: open it again"
    ):
        pool.step(x, ["b"])
    assert kept["b"].rows == 1
    pool.open("b", kept["b"])
    twin = net.stream()
    twin.step(x[0])
    assert same(pool.step(x, ["b"])[0], twin.step(x[0]))


def test_seconds_by_a_clock(net):
    now = [0.0]
    pool = opened(net, "a", "b", idle_seconds=10, clock=lambda: now[0])
    now[0] = 9.0
    pool.step(torch.randn(1, 2), ["a"])
    now[0] = 10.0
    with pytest.raises(InputError, match="'b' stood still for 10 seconds"):
        pool.step(torch.randn(2, 2), ["a", "b"])
    assert pool.ids == ("a",)
    for limits in ({"idle_steps": 0}, {"idle_seconds": 0.0}, {"idle_seconds": float("nan")}, {"capacity": 0}):
        with pytest.raises(UsageError, match=f"{next(iter(limits))} is"):
            net.streams(**{"capacity": 1, **limits})


def test_a_stream_moves_between_pools_and_a_stream_of_its_own(net):
    x = torch.randn(6, 2)
    expected = net.stream().feed(x)
    alone = net.stream()
    alone.feed(x[:2])
    pool = net.streams(2)
    pool.open("a", alone.state)
    pool.feed(x[2:4, None], ["a"])
    assert pool.steps_of("a") == 4
    assert same(net.stream(pool.state_of("a")).feed(x[4:]), expected[4:])
    with torch.no_grad():
        _, h = net(x[:4, None])
    pool.open("b", State(h=h))
    torch.testing.assert_close(pool.feed(x[4:, None], ["b"])[:, 0], expected[4:])
    with pytest.raises(UsageError, match="another GRU"):
        pool.open("c", GRU(2, 5).stream().state)
    assert "c" not in pool


def test_all_streams_in_one_file(net, tmp_path):
    file, x = tmp_path / "all.state", torch.randn(5, 3, 2)
    pool = opened(net, "a", 1, "1", idle_steps=100)
    pool.feed(x, ["a", 1, "1"])
    pool.feed(x[:, :1], ["a"])
    pool.save(file)
    other = net.streams(3, idle_steps=100)
    other.load(file)
    assert (other.ids, other.rows, other.steps_of("a"), other.steps_of(1)) == (("a", 1, "1"), 10, 10, 5)
    assert same(other.step(x[0], ["1", "a", 1]), pool.step(x[0], ["1", "a", 1]))
    with pytest.raises(UsageError, match=r"all\.state has 3 streams, and this pool has room for 2"):
        net.streams(2).load(file)
    with pytest.raises(UsageError, match="another LSTM"):
        LSTM(2, 5).streams(3).load(file)
    net.streams(1).state = net.streams(9).state  # nobody is there
    pool.reset()
    assert (len(pool), pool.rows) == (0, 0)


@pytest.mark.parametrize(
    "streams",
    [
        5,
        None,
        [["a"]],
        [["a", -1]],
        [["a", 2**63]],
        [["a", 1.0]],
        [[None, 1]],
        [["a", 1], ["a", 1]],
        [["a", 1]] * 3,
        [[True, 1]],
    ],
)
def test_a_hostile_file_is_refused(net, tmp_path, streams):
    pool, file = opened(net, "a", "b"), tmp_path / "p.state"
    state = pool.state
    StreamState(**{**vars(state), "facts": {"streams": streams}}).save(file)
    with pytest.raises(FileFormatError, match=r"p\.state is damaged: it does not describe a stream of this model"):
        pool.load(file)
    assert pool.ids == ("a", "b")


def test_copies_are_forks(net):
    pool, x = opened(net, "a"), torch.randn(1, 2)
    pool.step(x, ["a"])
    fork = pool.fork()
    expected = fork.step(x, ["a"])
    pool.close("a")
    assert fork.ids == ("a",)
    assert same(copy.copy(fork).step(x, ["a"]), fork.step(x, ["a"]))
    assert expected.shape == (1, 5)
    with pytest.raises(UsageError, match="a pool of streams is not pickled: save its state"):
        pickle.dumps(pool)


def test_comings_and_goings(net):
    """The same rules as on kernels; without kernels rows go one by one."""
    Twins = type("Twins", (Comings,), {"net": net, "seconds": 7.0})
    run_state_machine_as_test(Twins, settings=settings(max_examples=8, stateful_step_count=15, deadline=None))


def test_all_states_are_delivered_before_an_error_of_on_timeout(net):
    kept = {}

    def deliver(id_, state):
        kept[id_] = state
        if id_ != "c":
            raise OSError(f"no room for {id_}")

    pool = opened(net, "a", "b", "c", "d", idle_steps=1, on_timeout=deliver)
    pool.step(torch.randn(1, 2), ["d"])
    with pytest.raises(OSError, match="no room for a"):
        pool.step(torch.randn(1, 2), ["d"])
    assert list(kept) == ["a", "b", "c"]
    assert pool.ids == ("d",)


def test_an_id_is_the_same_in_every_call(net):
    pool, x = opened(net, 1, np.int64(3), np.str_("b")), torch.randn(1, 2)
    assert [type(id_) for id_ in pool.ids[:2]] == [int, int]
    for id_ in (1, np.int64(1), np.uint8(3), "b", np.str_("b")):
        assert id_ in pool
        pool.step(x, [id_])
        assert pool.steps_of(id_) == pool.state_of(id_).rows > 0
        pool.reset(id_)
        assert pool.steps_of(id_) == 0
    pool.step(x.expand(2, 2), np.array([3, 1]))
    with pytest.raises(InputError, match="the stream 3 is named twice"):
        pool.step(x.expand(2, 2), [3, np.int64(3)])
    for odd in (True, 1.0, np.float64(1), np.True_, None, [1]):
        assert odd not in pool
        calls = (pool.open, pool.close, pool.steps_of, pool.state_of, lambda id_: pool.step(x, [id_]))
        for call in (*calls, *([] if odd is None else [pool.reset])):
            with pytest.raises(InputError, match="a stream is called by a text or a whole number, not"):
                call(odd)
    for odd in ("b", b"b", 1):
        with pytest.raises(InputError, match=r"ids is a list, with one id for each row; got b?'?[b1]"):
            pool.step(x, odd)
    pool.close(np.int64(3))
    assert pool.ids == (1, "b")


def test_what_no_file_could_hold_is_no_id(net, tmp_path):
    pool = opened(net, "한", 2**1000)
    pool.save(tmp_path / "p.state")
    pool.load(tmp_path / "p.state")
    for id_, words in (("a\ud800", "holds half a character"), (10**5000, "has at most 1,024 bits; got 16,610")):
        with pytest.raises(InputError, match=words):
            pool.open(id_)
    assert pool.ids == ("한", 2**1000)


@pytest.mark.parametrize("odd", [2.5, "3", True, 0, -1, 10**30, [1]])
def test_numbers_that_are_none(net, odd):
    for name, words in (("capacity", "a whole number from 1 to 16,777,216"), ("idle_steps", "a whole number of at le")):
        with pytest.raises(UsageError, match=f"^{name} is {words}"):
            net.streams(**{"capacity": 1, name: odd})
    with pytest.raises(UsageError, match="capacity is a whole number"):
        net.streams(10**12)
    if odd not in (2.5, 10**30):
        with pytest.raises(UsageError, match="idle_seconds is a number above 0"):
            net.streams(1, idle_seconds=odd)
    assert net.streams(np.int64(2), idle_steps=np.int64(2)).capacity == 2


def test_a_lock_is_not_copied():
    lock = OwnLock()
    with lock, lock, copy.copy(lock), copy.deepcopy(lock), pickle.loads(pickle.dumps(lock)) as nothing:
        assert nothing is None
    others = (copy.copy(lock), copy.deepcopy(lock), pickle.loads(pickle.dumps(lock)))
    assert len({id(one._lock) for one in (lock, *others)}) == 4
