"""The measurement of many streams together runs, checks before it times, and counts what is late."""

from __future__ import annotations

import pytest
import torch

from benchmarks import streams_together
from benchmarks.results import read
from benchmarks.streams_together import PERIOD, Blocks, Size, measure, together
from loopcell import GRU


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_it_writes_both_answers(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(streams_together, "NETWORKS", {"gru": lambda: GRU(2, 4)})
    monkeypatch.setattr(streams_together, "STEPS", 2)
    monkeypatch.setattr(streams_together, "SETTLED", 0)
    monkeypatch.setattr(streams_together, "first_guess", lambda net: 2)
    measure(tmp_path / "f.json", Size((1, 2), rounds=1, seconds=0.01))
    parts = read(tmp_path / "f.json")["parts"]
    assert [row["sessions"] for row in parts["sessions"]["rows"]] == [1, 2]
    assert all(row["ratio"]["streams.step"] == 1 for row in parts["sessions"]["rows"])
    last = parts["real time"]["rows"][-1]
    assert last["sustained"] or last["streams"] == 1
    assert last["blocks"] == 3


def test_a_late_block_is_a_miss():
    found = Blocks(7, [PERIOD / 2] * 9998 + [2 * PERIOD, 3 * PERIOD])
    row = found.row()
    assert (row["misses"], row["blocks"], row["streams"]) == (2, 10000, 7)
    assert row["p99.99 ms"] == pytest.approx(3e3 * PERIOD, abs=1e-3)
    assert row["p50 ms"] == pytest.approx(500 * PERIOD, abs=1e-3)


def test_ways_that_disagree_end_the_run(monkeypatch):
    import loopcell

    with loopcell.backend("auto"):
        net = GRU(2, 4)
        if not net.stream().fused:
            pytest.skip("this needs a C compiler")
        stepper = net.stepper

        def wrong():
            made = stepper()
            made.state = made.state.map(lambda tensor: tensor + 1)
            return made

        monkeypatch.setattr(net, "stepper", wrong)
        with pytest.raises(SystemExit, match="do not give the same bits"):
            together("gru", net, 2, 1)
