"""How many pairs are scored in a given time, and what is shown meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from loopcell import Seq2Seq
from loopcell.tasks.core.estimator.held_out import seconds_left
from loopcell.tasks.seq2seq import scoring
from loopcell.tasks.seq2seq.scoring import Limits, shown


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(scoring.time, "monotonic", lambda: self.now)


def timed(limits, clock, seconds_a_pair, count=1000):
    """The blocks that are begun when each pair takes so long."""
    found = []
    for block in limits.blocks(count):
        found.append(block)
        clock.now += seconds_a_pair * len(block)
    return found


def test_every_pair_comes_once_where_nothing_limits_them(monkeypatch):
    blocks = timed(Limits(), Clock(monkeypatch), 1.0)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(1000))
    assert {len(block) for block in blocks[1:-1]} == {32}


def test_no_block_is_begun_that_would_end_too_late(monkeypatch):
    for seconds_a_pair in (0.01, 0.1, 1.0):
        clock = Clock(monkeypatch)
        blocks = timed(Limits(seconds=50.0), clock, seconds_a_pair)
        assert clock.now - 100.0 <= 50.0
        assert clock.now - 100.0 > 50.0 - 32 * seconds_a_pair or sum(map(len, blocks)) == 1000
    assert len(timed(Limits(seconds=0.0), Clock(monkeypatch), 1.0)) == 1  # the first one is always scored


def test_those_drawn_are_spread_over_the_whole_and_stay_the_same():
    (first, *_), (again, *_) = list(Limits(pairs=100).blocks(10_000)), list(Limits(pairs=100).blocks(10_000))
    assert first.tolist() == again.tolist()
    chosen = np.concatenate(list(Limits(pairs=100).blocks(10_000)))
    assert len(set(chosen.tolist())) == 100
    assert 4000 < chosen.mean() < 6000
    assert next(Limits(pairs=5).blocks(3)).tolist() == [0, 1, 2]


def test_what_was_scored_is_said():
    assert Limits().described(7, 7) == "7 pairs"
    assert Limits(pairs=500).described(500, 2000) == "500 of 2,000 pairs, drawn at random"
    late = Limits(pairs=500, seconds=1.0).described(40, 2000)
    assert late == "40 of 2,000 pairs, drawn at random, as many as the time limit left"


def test_without_a_terminal_there_is_a_line_every_ten_seconds(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with shown(1200, progress=True) as advance:
        for _ in range(12):
            clock.now += 3.0
            advance(100)
    assert capsys.readouterr().err.splitlines() == [f"scored {n} of 1,200 pairs" for n in ("400", "800", "1,200")]
    with shown(12, progress=False) as advance:
        clock.now += 30.0
        advance(12)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("limit", "trained", "left"),
    [
        (100.0, 30.0, 70.0),
        (100.0, 120.0, 5.0),  # nothing is left, and a little is allowed
        (None, 30.0, None),
    ],
)
def test_scores_have_what_is_left_of_the_time_limit(limit, trained, left):
    model = Seq2Seq(time_limit=limit)
    model.outcome_ = SimpleNamespace(position=SimpleNamespace(seconds=trained))
    assert seconds_left(model) == left
