"""Metrics of forecasts by hand, and beside scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from loopcell.tasks.core.verdict import LOSSES
from loopcell.tasks.forecasting.metrics import Forecasts, forecast_metrics


def test_errors_by_hand():
    true, mean = np.array([[[1.0], [5.0]]]), np.array([[[2.0], [2.0]]])
    quantiles = np.array([[[[0.0, 3.0]], [[1.0, 4.0]]]])
    part = Forecasts(true, mean, quantiles, size=np.array([2.0]), naive=np.array([0.5]))
    found = forecast_metrics([part], (0.1, 0.9))
    assert found["MSE"] == (1 + 9) / 2
    assert found["MAE"] == (1 + 3) / 2
    assert found["scaled MSE"] == found["MSE"] / 4
    assert found["scaled MAE"] == found["MAE"] / 2
    assert found["MASE"] == found["MAE"] / 0.5
    # 1 lies 1 above 0 and 2 below 3; 5 lies 4 above 1 and 1 above 4; on a scale of 2
    assert found["quantile loss"] == pytest.approx(2 * (0.1 * 0.5 + 0.1 * 1 + 0.1 * 2 + 0.9 * 0.5) / 4)
    assert found["coverage 80%"] == 0.5


def test_the_metric_that_the_verdict_goes_by_has_a_direction():
    part = Forecasts(np.ones((1, 1, 1)), np.zeros((1, 1, 1)), None, np.ones(1), np.ones(1))
    first = next(iter(forecast_metrics([part], ())))
    assert first in LOSSES, (
        f"verdicts go by the first metric; tasks/core/verdict.py says of {first} whether less is better"
    )


def test_errors_are_scikit_learns():
    drawn, levels = np.random.default_rng(3), (0.1, 0.25, 0.5, 0.9)
    true, mean = drawn.normal(size=(5, 4, 2)), drawn.normal(size=(5, 4, 2))
    quantiles = np.sort(drawn.normal(size=(5, 4, 2, len(levels))), axis=-1)
    size = np.array([2.0, 0.5])
    found = forecast_metrics([Forecasts(true, mean, quantiles, size, np.ones(2))], levels)
    rows, guesses, divided = true.reshape(20, 2), mean.reshape(20, 2), quantiles.reshape(20, 2, -1) / size[:, None]
    assert found["MSE"] == pytest.approx(mean_squared_error(rows, guesses))
    assert found["MAE"] == pytest.approx(mean_absolute_error(rows, guesses))
    assert found["scaled MSE"] == pytest.approx(mean_squared_error(rows / size, guesses / size))
    assert found["scaled MAE"] == pytest.approx(mean_absolute_error(rows / size, guesses / size))
    losses = [mean_pinball_loss(rows / size, divided[..., at], alpha=level) for at, level in enumerate(levels)]
    assert found["quantile loss"] == pytest.approx(2 * np.mean(losses))


def test_a_forecast_without_quantiles_says_the_same_at_every_level():
    part = Forecasts(np.array([[[3.0], [0.0]]]), np.array([[[1.0], [1.0]]]), None, np.array([2.0]), np.ones(1))
    # 3 lies 2 above the mean, 0 lies 1 below it, and errors are divided by 2: twice 0.9 * 1, and twice 0.1 * 0.5
    assert forecast_metrics([part], (0.9,))["quantile loss"] == pytest.approx((1.8 + 0.1) / 2)
    assert forecast_metrics([part], (0.5,))["quantile loss"] == pytest.approx((1 + 0.5) / 2)
    assert "coverage 80%" not in forecast_metrics([part], (0.1, 0.9))


def test_values_of_several_series_count_alike_and_one_that_never_changed_has_no_mase():
    one = Forecasts(np.ones((3, 1, 1)), np.zeros((3, 1, 1)), None, np.ones(1), np.ones(1))
    still = Forecasts(np.full((1, 1, 1), 5.0), np.zeros((1, 1, 1)), None, np.ones(1), np.zeros(1))
    found = forecast_metrics([one, still], ())
    assert found["MAE"] == (3 * 1 + 5) / 4
    assert found["MASE"] == 1.0
    assert math.isnan(forecast_metrics([still], ())["MASE"])
