"""The bench's own arithmetic: turns, medians, ratios."""

from __future__ import annotations

import time

import pytest

from benchmarks import measure
from benchmarks.measure import Patience, alternate, fall_asleep, ratios, spread


def test_a_spread_is_the_median_between_its_quartiles():
    found = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.low, found.median, found.high) == (2.0, 3.0, 4.0)
    assert spread([7.0]).median == 7.0


def test_a_ratio_is_taken_within_a_round():
    """A machine that is twice as slow in the second half changes both sides, and not their ratio."""
    ours, theirs = [1.0, 1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 3.0, 6.0, 6.0]
    assert ratios(theirs, ours).median == 3.0
    assert ratios(theirs, ours).low == ratios(theirs, ours).high == 3.0
    assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]).median == 2.0


def test_rounds_are_odd_and_within_bounds():
    patience = Patience(seconds=10, fewest=5, most=61)
    assert patience.rounds(1.0) == 11
    assert patience.rounds(100.0) == 5
    assert patience.rounds(1e-6) == 61


def test_calls_take_turns_and_the_order_changes():
    seen = []
    calls = {name: lambda name=name: (seen.append(name), time.sleep(0.002)) for name in "abc"}
    patience = Patience(seconds=0.0, block=0.001, fewest=3, most=3)
    samples = alternate(calls, patience)
    assert all(len(samples[name].wall) == 3 for name in "abc")
    turns = "".join(seen[-18:])  # an untimed call and a timed one each
    assert turns == "aabbcc" + "bbccaa" + "ccaabb"


def test_a_time_is_that_of_one_call():
    patience = Patience(seconds=0.0, block=0.02, fewest=3, most=3)
    samples = alternate({"sleep": lambda: time.sleep(0.004)}, patience)
    assert all(0.004 <= seconds < 0.02 for seconds in samples["sleep"].wall)
    assert samples["sleep"].cores < 0.5


def test_a_clock_has_one_of_two_names():
    samples = alternate({"nothing": lambda: None}, Patience(seconds=0.0, block=1e-5, fewest=3, most=3))["nothing"]
    assert samples.by("wall") is samples.wall
    assert samples.by("cpu") is samples.cpu
    with pytest.raises(KeyError):
        samples.by("sun")


@pytest.mark.parametrize(("glances", "quiet"), [(0, True), (20, True), (10_000, False)])
def test_a_turn_waits_for_the_threads_of_the_one_before(monkeypatch, glances, quiet):
    clock = {"wall": 0.0, "cpu": 0.0}

    def sleep(seconds):
        clock["wall"] += seconds
        clock["cpu"] += seconds if clock["wall"] < glances * measure.GLANCE else 0.0

    monkeypatch.setattr(measure.time, "sleep", sleep)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock["wall"])
    monkeypatch.setattr(measure.time, "process_time", lambda: clock["cpu"])
    assert fall_asleep() is quiet
    waited = glances * measure.GLANCE if quiet else measure.SLEEPLESS
    assert waited <= clock["wall"] + 1e-9 <= waited + 2 * measure.GLANCE
