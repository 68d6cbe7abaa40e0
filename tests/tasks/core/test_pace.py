"""The numbers of a training run by the number of examples: the documented rule, and that what is given wins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell import Forecaster, SequenceClassifier, SequenceRegressor
from loopcell.tasks.core.pace import AUTO, Pace, held_out_share, pace_of
from loopcell.tasks.core.settings import checked
from tests.tasks.conftest import one_thread
from tests.tasks.small import words

__all__ = ["one_thread"]

USUAL = Pace(batch_size=32, epochs=20, patience=5, learning_rate=2e-3, warmup=100)
NOTHING = Pace(AUTO, AUTO, AUTO, AUTO, AUTO)


def updates(pace, examples):
    return pace.epochs * math.ceil(examples / pace.batch_size)


@pytest.mark.parametrize("examples", [2400, 10_000, 1_000_000])
def test_large_sets_have_the_usual_numbers(examples):
    assert pace_of(NOTHING, USUAL, examples) == USUAL


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        (45, Pace(4, 125, 63, 4e-3, 100)),
        (128, Pace(16, 188, 94, 4e-3, 100)),
        (256, Pace(32, 188, 47, 2e-3, 100)),
        (1000, Pace(32, 47, 12, 2e-3, 100)),
        (1, Pace(4, 1500, 750, 4e-3, 100)),
    ],
)
def test_small_sets_by_hand(examples, expected):
    assert pace_of(NOTHING, USUAL, examples) == expected


@given(examples=st.integers(1, 5000))
def test_a_run_is_long_enough_and_its_patience_outlives_its_warm_up(examples):
    pace = pace_of(NOTHING, USUAL, examples)
    passes = math.ceil(examples / pace.batch_size)
    assert updates(pace, examples) >= 1500
    assert pace.patience * passes >= 3 * pace.warmup
    assert pace.warmup <= updates(pace, examples) / 10
    assert 4 <= pace.batch_size <= 32
    assert passes >= 8 or pace.batch_size == 4


@given(
    examples=st.integers(1, 5000),
    chosen=st.sets(st.sampled_from(Pace._fields)),
)
def test_what_is_given_wins(examples, chosen):
    mine = Pace(batch_size=7, epochs=3, patience=None, learning_rate=0.5, warmup=11)
    asked = NOTHING._replace(**{name: getattr(mine, name) for name in chosen})
    pace = pace_of(asked, USUAL, examples)
    assert all(getattr(pace, name) == getattr(mine, name) for name in chosen)
    assert AUTO not in pace


def test_an_estimator_is_trained_with_them():
    X, y = words(50)
    model = SequenceClassifier(cell="gru", hidden_size=8, epochs=2).fit(X, y)
    assert model.pace_ == Pace(4, 2, 63, 4e-3, 2)
    assert model.outcome_.position.update == 2 * 12
    assert model.epochs == 2
    assert model.batch_size == AUTO
    given = SequenceClassifier(cell="gru", hidden_size=8, epochs=np.int64(1), batch_size=16, warmup=1).fit(X, y)
    assert given.outcome_.position.update == 3


def test_series_have_usual_numbers_of_their_own():
    settings = checked(Forecaster())
    assert settings.pace(10_000) == Pace(8, 40, 10, 2e-3, 100)
    small = settings.pace(5)
    assert small.batch_size == 4
    assert small.epochs == 750


@pytest.mark.parametrize(
    ("examples", "held_out"),
    [(4, 1), (40, 10), (140, 35), (200, 50), (499, 50), (500, 50), (2400, 240), (10**6, 10**5)],
)
def test_of_few_numbers_to_predict_more_is_held_out(examples, held_out):
    assert round(held_out_share(AUTO, examples) * examples) == held_out


@given(examples=st.integers(1, 10**6), share=st.floats(0, 0.99))
def test_a_share_that_is_given_wins(examples, share):
    assert held_out_share(share, examples) == share
    assert 0.1 <= held_out_share(AUTO, examples) <= 0.25


def test_a_regressor_holds_out_a_quarter_of_few_and_a_classifier_a_tenth():
    X, y = words(60)
    numbers = [float(len(text)) for text in X]
    assert len(SequenceRegressor().parts(X, numbers)[1][0]) == 15
    assert len(SequenceRegressor(validation_fraction=0.1).parts(X, numbers)[1][0]) == 6
    assert SequenceRegressor(validation_fraction=0).parts(X, numbers)[1] is None
    assert len(SequenceClassifier().parts(X, y)[1][0]) == 6
