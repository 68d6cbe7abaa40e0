from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize_scalar
from torch.nn import functional

from loopcell.tasks.sequences.temperature import ENOUGH, ENOUGH_TO_SHARPEN, FOLDS, PRIOR, fitted_temperature


def cross_entropy(labels):
    return lambda scores: functional.cross_entropy(scores, labels, reduction="none")


def drawn(count, sure, seed, classes=3):
    """Scores that are `sure` times as far from each other as they should be, with labels that come true."""
    generator = torch.Generator().manual_seed(seed)
    honest = torch.randn(count, classes, generator=generator) * 2
    labels = torch.multinomial(honest.softmax(-1), 1, generator=generator).squeeze(1)
    return sure * honest, labels


def loss(scores, labels, temperature=1.0):
    return functional.cross_entropy(scores / temperature, labels).item()


def test_scores_that_are_thrice_too_sure_are_divided_by_three():
    scores, labels = drawn(20_000, 3.0, 0)
    assert fitted_temperature(scores, cross_entropy(labels)) == pytest.approx(3.0, rel=0.05)
    assert fitted_temperature(scores / 3, cross_entropy(labels)) == pytest.approx(1.0, rel=0.05)
    assert fitted_temperature(scores / 4.5, cross_entropy(labels)) == pytest.approx(2 / 3, rel=0.05)


@pytest.mark.parametrize("count", [0, 1, 3, 13, 49, 100, 999])
def test_a_held_out_part_that_is_all_right_does_not_make_sure(count):
    labels = torch.arange(count) % 3
    scores = torch.eye(3)[labels] * 2
    assert fitted_temperature(scores, cross_entropy(labels)) == 1.0


@given(count=st.integers(0, 400), classes=st.integers(2, 6), sure=st.floats(0.1, 8), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_few_examples_never_make_surer_and_very_few_change_nothing(count, classes, sure, seed):
    scores, labels = drawn(count, sure, seed, classes)
    found = fitted_temperature(scores, cross_entropy(labels))
    assert count < ENOUGH_TO_SHARPEN
    assert found >= 1.0
    assert found == 1.0 or count >= ENOUGH
    if count:
        # What it was fitted to is never less probable for it.
        assert loss(scores, labels, found) <= loss(scores, labels) + 1e-9


@given(count=st.integers(ENOUGH, 300), sure=st.floats(0.5, 8), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_temperature_lowers_the_loss_of_every_fold_that_it_has_not_seen(count, sure, seed):
    scores, labels = drawn(count, sure, seed)
    if fitted_temperature(scores, cross_entropy(labels)) == 1.0:
        return
    fold = np.random.default_rng(0).permutation(count) % FOLDS
    for number in range(FOLDS):
        seen = torch.from_numpy(fold != number)

        def cost(log, kept=seen):
            return loss(scores[kept], labels[kept], float(np.exp(log))) * int(kept.sum()) + PRIOR * log**2

        best = float(np.exp(minimize_scalar(cost, bounds=(0.0, np.log(10)), method="bounded").x))
        assert loss(scores[~seen], labels[~seen], best) <= loss(scores[~seen], labels[~seen]) + 0.01


@pytest.mark.parametrize("count", [13, 60, 200, 1000])
@pytest.mark.parametrize("sure", [0.5, 1.0, 1.5, 3.0])
def test_new_examples_do_not_get_less_probable(count, sure):
    """Over many small held-out parts: the loss of examples that were not held out, with the temperature and without."""
    fresh = drawn(4000, sure, 10_000)
    gains = []
    for seed in range(20):
        scores, labels = drawn(count, sure, seed)
        gains.append(loss(*fresh) - loss(*fresh, fitted_temperature(scores, cross_entropy(labels))))
    assert np.mean(gains) > -0.002
    assert min(gains) > -0.03
    if sure == 3.0 and count >= 200:
        assert np.mean(gains) > 0.3  # of about 0.5


def test_steps_of_one_example_count_as_one():
    scores, labels = drawn(40 * 50, 3.0, 1)
    example = np.repeat(np.arange(40), 50)
    assert fitted_temperature(scores, cross_entropy(labels), example) == 1.0
    scores, labels = drawn(400 * 50, 3.0, 1)
    example = np.repeat(np.arange(400), 50)
    assert fitted_temperature(scores, cross_entropy(labels), example) == pytest.approx(3.0, rel=0.05)
