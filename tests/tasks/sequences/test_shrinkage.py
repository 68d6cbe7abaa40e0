"""How much of a network's deviations from the mean a few held-out examples speak for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.tasks.sequences.shrinkage import believed_shares, kept_shares


def drawn(count, signal, seed):
    """What a network says, and what is true: so much of it, and noise; deviations of 1."""
    generator = np.random.default_rng(seed)
    said, noise = generator.standard_normal((2, count, 1))
    return said, signal * said + np.sqrt(1 - signal**2) * noise


def test_by_hand():
    said, true = np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [-1.0], [0.6], [-0.6]])
    # The slope is 0.8 and its variance 0.16 / 3 / 4.
    assert kept_shares(said, true) == pytest.approx(0.8 - 4 * (0.16 / 12) / 0.8)


def test_what_is_right_is_kept_and_what_goes_the_other_way_is_not():
    said, true = drawn(12, 0.99, 0)
    assert kept_shares(said, true) > 0.95
    assert kept_shares(said, -true) == 0
    assert kept_shares(said, said) == 1
    assert kept_shares(np.zeros((12, 1)), true) == 0


def test_what_was_not_chosen_is_believed_in_a_little():
    said, true = np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [-1.0], [0.6], [-0.6]])
    error = 0.16 / 12  # as above
    assert believed_shares(said, true) == pytest.approx((0.8 / error + 0.5 / 0.0625) / (1 / error + 1 / 0.0625))
    assert believed_shares(said[:2], true[:2]) == 0.5  # which say nothing
    noise, others = drawn(200, 0.0, 0)
    assert believed_shares(noise, others) < 0.2
    assert believed_shares(said, said) == 1


def test_a_belief_in_a_line_gains_more_from_a_weak_signal_than_it_loses_to_noise():
    """Of 40 examples and 10 figures; R2 on new ones beside that of the line as far as it is certain."""
    gains = {0.0: [], 0.2: []}
    for signal, found in gains.items():
        for seed in range(60):
            generator = np.random.default_rng(seed)
            x, z = generator.standard_normal((2, 2000, 10))
            line = generator.standard_normal(10)
            y = (signal**0.5 * x @ line / np.linalg.norm(line) + (1 - signal) ** 0.5 * z[:, 0])[:, None]
            solved = np.linalg.solve(x[:40].T @ x[:40] + np.eye(10), x[:40].T)
            weight, leverage = solved @ y[:40], (x[:40] * solved.T).sum(1)[:, None]
            left_out = y[:40] - (y[:40] - x[:40] @ weight) / (1 - leverage)
            r2 = [
                1 - ((y[40:] - share * (x[40:] @ weight)) ** 2).mean() / (y[40:] ** 2).mean()
                for share in (believed_shares(left_out, y[:40]), kept_shares(left_out, y[:40], enough=41))
            ]
            found.append(r2[0] - r2[1])
    assert -0.03 < np.mean(gains[0.0]) < 0
    assert np.mean(gains[0.2]) > 0.04


def test_each_output_has_its_own():
    said, true = drawn(12, 0.99, 0)
    both = kept_shares(np.hstack([said, said]), np.hstack([true, -true]))
    assert both[0] > 0.95
    assert both[1] == 0


@pytest.mark.parametrize("count", [1, 2, 240, 5000])
def test_too_few_examples_say_nothing_and_many_have_chosen_well(count):
    assert kept_shares(*drawn(count, 0.0, 1)) == 1


@given(count=st.integers(3, 239), signal=st.floats(-1, 1), seed=st.integers(0, 2**32 - 1))
def test_it_is_a_share(count, signal, seed):
    assert 0 <= kept_shares(*drawn(count, signal, seed)).item() <= 1


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 2**32 - 1))
def test_units_do_not_count(scale, seed):
    said, true = drawn(20, 0.5, seed)
    assert kept_shares(scale * said, scale * true) == pytest.approx(kept_shares(said, true), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("count", [4, 14, 40])
def test_the_luckiest_of_ten_networks_of_noise_costs_little_on_new_data(count):
    """Choosing by the held-out examples themselves flatters: the mean of R2 on new noise stays near 0."""
    found = []
    for seed in range(300):
        said, true = np.random.default_rng(seed).standard_normal((2, count, 10))
        true = true[:, :1]
        best = [int(np.argmin(((true - said) ** 2).mean(0)))]
        found.append(kept_shares(said[:, best], true).item() ** 2)  # on noise the error rises by the share's square
    assert np.mean(found) < 0.35
