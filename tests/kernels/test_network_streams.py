"""Streams on kernels give the bits of the whole sequence, in chunks of any size and in any company."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import run_state_machine_as_test

from loopcell import GRU, LSTM, RNN, Recurrent, cells
from loopcell.backends.c.launch.arguments import FEW_ROWS
from loopcell.backends.c.launch.chunks import LONGEST
from tests.kernels.test_laws import ALL
from tests.layers.streaming.comings_and_goings import Comings
from tests.layers.streaming.same import bits, cut, inputs_of, network, same
from tests.layers.streaming.threads import THREADS, in_threads

SIZES = st.lists(st.sampled_from([0, 1, 1, 2, 3, 5, 17]), max_size=8)


def fed(stream, x, further, sizes):
    """The outputs of a stream [T, O], fed in chunks; chunks of one step by `step`."""
    out = []
    for part in cut(len(x), sizes):
        beside = {name: tensor[part, 0] for name, tensor in further.items()}
        if part.stop - part.start == 1:
            out.append(stream.step(x[part.start, 0], **{name: tensor[0] for name, tensor in beside.items()})[None])
        else:
            out.append(stream.feed(x[part, 0], **beside))
    return torch.cat(out)


@pytest.mark.parametrize("name", ALL)
def test_chunks_of_any_size_are_the_whole_sequence_bit_for_bit(name):
    net = network(ALL[name])

    @settings(max_examples=5)
    @given(SIZES)
    def check(sizes):
        x, further = inputs_of(net, 23, 1)
        with torch.no_grad():
            y, last = net(x, **further)
        stream = net.stream()
        assert stream.fused
        assert same(fed(stream, x, further, sizes), y[:, 0])
        assert stream.rows == 23
        for state, tensor in last.items():
            assert same(stream.state.tensors[state], tensor)

    check()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_in_other_dtypes_too(kind, dtype):
    net = network(cells.get(kind), num_layers=3, dtype=dtype)
    x, further = inputs_of(net, 23, 1, dtype)
    with torch.no_grad():
        y, last = net(x)
    stream = net.stream()
    assert same(fed(stream, x, further, [1, 1, 0, 7, 3]), y[:, 0])
    # Kernels keep the states of half precision in float32, and so does the stream.
    assert all(same(stream.state.tensors[state].to(dtype), tensor) for state, tensor in last.items())


@pytest.mark.parametrize(
    "net", [RNN(2, 33), LSTM(2, 40, 2, proj_size=7), GRU(2, 64, bias=False)], ids=["rnn", "lstm", "gru"]
)
def test_a_long_sequence_is_cut_inside_too(net):
    x = torch.randn(3 * LONGEST + 5, 1, 2)
    with torch.no_grad():
        y, _ = net.eval()(x)
    assert same(net.stream().feed(x[:, 0]), y[:, 0])


def test_a_whole_sequence_of_a_few_steps_adds_up_in_another_order():
    """The one difference that there is: a call of at most 4 rows reads the weights where they lie."""
    net = LSTM(3, 40).eval()
    x = torch.randn(FEW_ROWS, 1, 3)
    with torch.no_grad():
        y, _ = net(x)
    streamed = net.stream().feed(x[:, 0])
    torch.testing.assert_close(streamed, y[:, 0], rtol=1e-5, atol=1e-6)
    long = torch.cat([x, torch.zeros(1, 1, 3)])
    with torch.no_grad():
        assert same(streamed, net(long)[0][:-1, 0])


@pytest.mark.parametrize("name", ["lstm_layer_norm", "gru", "sru", "lstm_projected"])
def test_rows_do_not_know_each_other(name):
    """Any number of rows, in any order: each has the bits that it has alone."""
    net = network(ALL[name], hidden_size=37)
    x, _ = inputs_of(net, 6, 29)
    alone = [net.stream() for _ in range(29)]
    pool = net.streams(29)
    for row in range(29):
        pool.open(row)
    for step in range(6):
        order = torch.randperm(29)[: torch.randint(1, 30, ()).item()].tolist()
        y = pool.step(x[step, order], order)
        for place, row in enumerate(order):
            assert same(y[place], alone[row].step(x[step, row])), (step, row, len(order))


def test_threads_change_no_bit():
    net = GRU(8, 96, 2)
    x = torch.randn(40, 24, 8)
    many, one = net.streams(24), net.streams(24)
    for row in range(24):
        many.open(row)
        one.open(row)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = one.feed(x, range(24))
        torch.set_num_threads(2)
        assert same(many.feed(x, range(24)), expected)
    finally:
        torch.set_num_threads(before)


def test_a_nan_stays_where_it_is():
    net = GRU(3, 20, 2)
    pool, clean = net.streams(8), net.streams(8)
    for row in range(8):
        pool.open(row)
        clean.open(row)
    x = torch.randn(5, 8, 3)
    bad = x.clone()
    bad[1, 3] = float("nan")
    bad[1, 6] = float("inf")
    y, expected = pool.feed(bad, range(8)), clean.feed(x, range(8))
    assert y[1:, 3].isnan().all()
    others = [0, 1, 2, 4, 5, 7]
    assert torch.equal(bits(y[:, others]), bits(expected[:, others]))
    pool.reset(3)
    assert same(pool.step(x[0, 3:4], [3])[0], net.stream().step(x[0, 3]))


def test_forks_run_in_threads_of_their_own():
    from concurrent.futures import ThreadPoolExecutor

    net = LSTM(4, 48, 2)
    x = torch.randn(600, 4)
    first = net.stream()
    first.feed(x[:50])
    expected = first.fork().feed(x[50:])
    forks = [first.fork() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        for y in threads.map(lambda fork: torch.cat([fork.feed(part) for part in x[50:].split(37)]), forks):
            assert same(y, expected)
    assert first.rows == 50


@pytest.mark.parametrize("make", [lambda: Recurrent("gru", 3, 9), lambda: LSTM(3, 9, 2)], ids=["gru", "lstm"])
def test_weights_are_those_of_the_making_until_refreshed(make):
    net, x = make(), torch.randn(9, 3)
    stream = net.stream()
    before = stream.fork().feed(x)
    saved = stream.state
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.25)
    assert same(stream.fork().feed(x), before)
    stream.refresh()
    with torch.no_grad():
        assert same(stream.fork().feed(x), net(x[:, None])[0][:, 0])
    with pytest.raises(Exception, match="weights are not those"):
        stream.state = saved


@pytest.mark.parametrize("seconds", [None, 7.0])
def test_comings_and_goings(seconds):
    """Joins, leaves, timeouts by steps and by seconds, and reuse, beside a single stream for each."""
    Twins = type("Twins", (Comings,), {"net": LSTM(2, 11, 2).eval(), "seconds": seconds})
    run_state_machine_as_test(Twins, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))


def test_threads_share_a_pool():
    """Each has a stream of its own, and all call the one pool: the numbers are those of one thread alone."""
    net, steps = GRU(2, 16, 2).eval(), 200
    x = torch.randn(THREADS, steps, 2)
    pool, found = net.streams(THREADS + 1), [None] * THREADS
    assert pool.fused

    def work(number):
        pool.open(number)
        found[number] = torch.cat([pool.step(frame[None], [number]) for frame in x[number]])
        assert pool.steps_of(number) == pool.state_of(number).rows == steps
        pool.close(number)

    in_threads(work)
    assert all(same(y, net.stream().feed(one)) for y, one in zip(found, x, strict=True))
    assert (pool.ids, pool.rows) == ((), THREADS * steps)


def test_threads_share_a_stream():
    """All give it the same frame, so that whoever comes first, the outputs together are those of one thread."""
    net, steps = LSTM(2, 16).eval(), 200
    stream, frame, found = net.stream(), torch.randn(2), []

    def work(_):
        for _ in range(steps):
            found.append(stream.step(frame))
            stream.fork()

    in_threads(work)
    assert stream.rows == THREADS * steps
    alone = net.stream()
    expected = [alone.step(frame) for _ in range(THREADS * steps)]
    assert sorted(y.tolist() for y in found) == sorted(y.tolist() for y in expected)
    assert same(stream.state.tensors["c"], alone.state.tensors["c"])
