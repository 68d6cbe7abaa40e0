"""Missing values: what stands in their place, the time since the last one, and scales of what is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.data.examples import Moments, filled_forward, interpolated, scale_of, time_since_value

NAN = np.nan


def with_holes(seed, steps=40, columns=3):
    drawn = np.random.default_rng(seed)
    values = drawn.normal(50, 3, (steps, columns))
    values[drawn.random(values.shape) < 0.4] = NAN
    return values, np.cumsum(drawn.exponential(1.0, steps))


def as_the_paper_says(there, times):
    """Che et al. 2018, eq. 2, step by step."""
    found = np.zeros(there.shape)
    for t in range(1, len(times)):
        for d in range(there.shape[1]):
            passed = times[t] - times[t - 1]
            found[t, d] = passed if there[t - 1, d] else passed + found[t - 1, d]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_time_since_the_last_value_is_that_of_the_paper(seed):
    values, times = with_holes(seed)
    there = ~np.isnan(values)
    np.testing.assert_allclose(time_since_value(there, times), as_the_paper_says(there, times), atol=1e-12)


def test_a_column_without_a_value_was_last_seen_at_the_beginning():
    found = time_since_value(np.zeros((3, 1), bool), np.array([2.0, 3.0, 7.0]))
    np.testing.assert_array_equal(found[:, 0], [0, 1, 5])
    assert time_since_value(np.zeros((0, 2), bool), np.zeros(0)).shape == (0, 2)


@pytest.mark.parametrize("seed", range(3))
def test_fills_are_those_of_pandas(seed):
    values, times = with_holes(seed)
    table = pd.DataFrame(values, index=times)
    np.testing.assert_array_equal(filled_forward(values), table.ffill().to_numpy())
    straight = table.interpolate(method="index", limit_direction="both").to_numpy()
    np.testing.assert_allclose(interpolated(values, times), straight, rtol=1e-12)
    assert np.isnan(values).any()  # what came is as it was


def test_a_piece_goes_on_with_the_last_values():
    values, times = with_holes(1)
    whole, since = filled_forward(values), time_since_value(~np.isnan(values), times)
    rest = filled_forward(values[15:], whole[14])
    np.testing.assert_array_equal(rest, whole[15:])
    seen = np.where(np.isnan(values[:15]), times[0], times[:15, None]).max(0)
    np.testing.assert_allclose(time_since_value(~np.isnan(values[15:]), times[15:], seen), since[15:])


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_scale_is_that_of_what_is_there(size):
    values = with_holes(3, 100)[0] * [1, 1e6, 1e-6] + [0, 1e9, 0]
    values[:, 2] = np.where(np.isnan(values[:, 2]), NAN, 4.0)
    pieces = [values[at : at + size] for at in range(0, 100, size)]
    moments = Moments(3)
    for piece in pieces:
        moments.add(piece)
    for scale in (moments.scale(), scale_of(pieces, 3)):
        np.testing.assert_allclose(scale.mean, np.nanmean(values, 0), rtol=1e-12)
        np.testing.assert_allclose(scale.size[:2], np.nanstd(values, 0)[:2], rtol=1e-9)
        assert scale.size[2] == 1
    np.testing.assert_array_equal(moments.counts, (~np.isnan(values)).sum(0))


def test_a_column_without_a_value_has_the_scale_that_changes_nothing():
    scale = scale_of([np.array([[1.0, NAN], [3.0, NAN]])], 2)
    np.testing.assert_array_equal(scale.mean, [2, 0])
    np.testing.assert_array_equal(scale.size, [1, 1])
