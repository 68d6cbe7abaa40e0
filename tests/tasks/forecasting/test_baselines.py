"""Naive forecasts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.data import Step
from loopcell.data.series.steps import Weekdays
from loopcell.tasks.forecasting.baselines import naive_error, seasonal_naive
from loopcell.tasks.forecasting.columns import usual_season


def test_the_last_value_and_the_last_season():
    target = np.array([[1.0], [2.0], [3.0], [4.0], [9.0], [9.0]])
    assert seasonal_naive(target, np.array([3, 4]), 4, 1)[..., 0].tolist() == [[3, 3, 3, 3], [4, 4, 4, 4]]
    assert seasonal_naive(target, np.array([3]), 7, 3)[0, :, 0].tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert seasonal_naive(target, np.array([4]), 2, 3)[0, :, 0].tolist() == [2, 3]


def test_the_error_that_mase_divides_by():
    assert naive_error(np.array([[1.0], [2.0], [4.0], [4.0]]), 2).tolist() == [(3 + 2) / 2]
    assert np.isnan(naive_error(np.ones((2, 1)), 2)).all()


HOUR = 3600e6


@pytest.mark.parametrize(
    ("step", "season"),
    [
        (None, 1),
        (Step(1, clock=False), 1),
        (Step(HOUR), 24),
        (Step(HOUR / 4), 96),
        (Step(24 * HOUR), 7),
        (Step(7 * 24 * HOUR), 52),
        (Step(1, calendar=True), 12),
        (Step(3, calendar=True), 4),
        (Step(5, calendar=True), 1),
        (Step(1e6), 1),
        (Step(0.5, calendar=True), 24),
        (Step(1, rule=Weekdays("1111100", 0)), 5),
        (Step(2, rule=Weekdays("1111100", 0)), 1),
        (Step(HOUR * 7), 1),
    ],
)
def test_usual_seasons(step, season):
    assert usual_season(step) == season
