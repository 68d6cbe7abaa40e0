"""Quantiles that follow: by hand, in pieces, and in the long run."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.tasks.forecasting.coverage import follow, kept_inside, tracked

LEVELS = (0.1, 0.9)


def test_a_step_by_hand():
    said = np.array([[[[0.0, 2.0]]], [[[10.0, 12.0]]], [[[0.0, 4.0]]]])  # one step ahead, one target
    came = np.array([[99.0], [3.0], [11.0]])
    moved, kept = follow(tracked(np.zeros((1, 1, 2))), said, came, LEVELS, rate=0.5)
    assert moved[0, 0, 0].tolist() == [0, 2]  # nothing was said of 99
    first = [0.5 * 2 * 0.1, 0.5 * 2 * 0.9]  # 3 is above both
    assert moved[1, 0, 0] == pytest.approx([10 + first[0], 12 + first[1]])
    second = [first[0] + 0.5 * 2 * 0.1, first[1] + 0.5 * 2 * (0.9 - 1)]  # 11 is between
    assert moved[2, 0, 0] == pytest.approx([second[0], 4 + second[1]])
    assert kept.shift[0, 0] == pytest.approx(second)


def test_each_step_ahead_is_judged_by_the_value_it_was_said_of():
    said = np.tile(np.array([[[-1.0, 1.0]], [[-3.0, 3.0]]]), (4, 1, 1, 1))
    came = np.array([[0.0], [0.0], [2.0], [0.0]])  # 2 is outside of one step ahead, and inside of two
    _, kept = follow(tracked(np.zeros((2, 1, 2))), said, came, LEVELS, rate=1.0)
    one = 2 * (np.array([[0.1, -0.1], [0.1, 0.9], [0.1, -0.1]])).sum(0)
    assert kept.shift[0, 0] == pytest.approx(one)
    assert kept.shift[1, 0] == pytest.approx(6 * 2 * np.array([0.1, -0.1]))  # of the last two values


def test_pieces_are_the_whole():
    drawn = np.random.default_rng(0)
    said, came = np.sort(drawn.normal(size=(30, 3, 2, 2)), -1), drawn.normal(size=(30, 2))
    whole, end = follow(tracked(np.zeros((3, 2, 2))), said, came, LEVELS, 0.1)
    kept, parts = tracked(np.zeros((3, 2, 2))), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 30)):
        part, kept = follow(kept, said[start:stop], came[start:stop], LEVELS, 0.1)
        parts.append(part)
    assert np.concatenate(parts) == pytest.approx(whole)
    assert kept.shift == pytest.approx(end.shift)


def test_in_the_long_run_coverage_is_right():
    drawn = np.random.default_rng(0)
    said = np.tile([-0.1, 0.1], (5000, 1, 1, 1))
    came = drawn.normal(size=(5000, 1))
    moved, _ = follow(tracked(np.zeros((1, 1, 2))), said, came, LEVELS, 0.1)
    inside = (moved[999:-1, 0, 0, 0] <= came[1000:, 0]) & (came[1000:, 0] <= moved[999:-1, 0, 0, 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.02)


def test_a_mean_outside_of_its_interval_is_moved_to_the_nearer_end():
    mean, quantiles = np.array([[0.0], [2.0], [9.0]]), np.array([[[1.0, 3.0]], [[1.0, 3.0]], [[1.0, 3.0]]])
    assert kept_inside(mean, quantiles, LEVELS)[:, 0].tolist() == [1, 2, 3]
    for levels in ((0.5, 0.9), (0.9, 0.95), (0.1, 0.5)):
        assert kept_inside(mean, quantiles, levels) is mean
    assert kept_inside(mean, quantiles[..., :0], ()) is mean
