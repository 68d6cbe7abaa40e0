"""Metrics of forecasts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

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


def test_a_forecast_without_quantiles_says_the_same_at_every_level():
    part = Forecasts(np.ones((1, 1, 1)), np.zeros((1, 1, 1)), None, np.ones(1), np.ones(1))
    assert forecast_metrics([part], (0.5,))["quantile loss"] == pytest.approx(
        forecast_metrics([part], ())["scaled MAE"]
    )
    assert "coverage 80%" not in forecast_metrics([part], (0.1, 0.9))


def test_values_of_several_series_count_alike_and_one_that_never_changed_has_no_mase():
    one = Forecasts(np.ones((3, 1, 1)), np.zeros((3, 1, 1)), None, np.ones(1), np.ones(1))
    still = Forecasts(np.full((1, 1, 1), 5.0), np.zeros((1, 1, 1)), None, np.ones(1), np.zeros(1))
    found = forecast_metrics([one, still], ())
    assert found["MAE"] == (3 * 1 + 5) / 4
    assert found["MASE"] == 1.0
    assert math.isnan(forecast_metrics([still], ())["MASE"])
