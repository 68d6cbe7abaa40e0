"""Standard errors of differences on the same examples, beside the bootstrap and scikit-free formulas."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.tasks.core.paired import noise_of, standard_error


def test_of_examples_by_themselves_it_is_that_of_the_mean_difference():
    own, other = np.random.default_rng(0).random((2, 50))
    expected = (own - other).std(ddof=1) / np.sqrt(50)
    assert standard_error(own, other) == pytest.approx(expected)
    assert standard_error(own, own + 1) == pytest.approx(0, abs=1e-12)


def test_groups_are_what_a_bootstrap_of_groups_says():
    drawn = np.random.default_rng(1)
    groups = np.repeat(np.arange(80), drawn.integers(1, 30, 80))
    apart = drawn.standard_normal(80)[groups] + 0.1 * drawn.standard_normal(len(groups))
    sums, sizes = np.bincount(groups, apart), np.bincount(groups)
    again = drawn.integers(0, 80, (4000, 80))
    spread = (sums[again].sum(1) / sizes[again].sum(1)).std()
    found = standard_error(apart, np.zeros(len(apart)), groups)
    assert found == pytest.approx(spread, rel=0.1)
    assert found > 3 * standard_error(apart, np.zeros(len(apart)))  # values of one group are alike


def test_values_that_are_not_known_do_not_count_and_few_groups_say_nothing():
    own, other = np.random.default_rng(2).random((2, 30))
    gaps = np.where(np.arange(30) % 3 == 0, np.nan, own)
    assert standard_error(gaps, other) == pytest.approx(standard_error(own[~np.isnan(gaps)], other[~np.isnan(gaps)]))
    assert np.isnan(standard_error(own[:4], other[:4]))
    assert np.isnan(standard_error(own, other, np.arange(30) % 4))
    assert noise_of("MSE", {"model": own, "naive": other, "short": np.full(30, np.nan)}) == {
        "naive": {"MSE": standard_error(own, other)}
    }
