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
    assert found["RMSE"] == found["MSE"] ** 0.5
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


def drawn_forecasts(levels=(0.1, 0.25, 0.5, 0.9)):
    drawn = np.random.default_rng(3)
    quantiles = np.sort(drawn.normal(size=(50, 4, 2, len(levels))), axis=-1)
    quantiles[:3, ..., 1] = quantiles[:3, ..., 0]  # two levels with one value
    return Forecasts(drawn.normal(size=(50, 4, 2)), quantiles[..., 0], quantiles, np.array([2.0, 0.5]), np.ones(2))


def test_the_crps_is_the_integral_of_the_squared_distance_of_distributions():
    """Beside the integral over x of (F(x) - [x >= what came])^2 on a fine grid: the definition, not our formula."""
    levels = (0.1, 0.25, 0.5, 0.9)
    part = drawn_forecasts(levels)
    x = np.linspace(-8, 8, 160_001)
    found = []
    for true, quantiles in zip(part.true.reshape(-1, 2)[:40, 0], part.quantiles.reshape(-1, 2, 4)[:40, 0], strict=True):
        places, at = np.unique(quantiles, return_index=True)
        tops = np.array(levels)[np.append(at[1:], len(levels)) - 1]  # of one value the highest level
        below = np.interp(x, places, tops)
        if len(places) < len(levels):  # a jump has two heights: take the lower one before it
            continue
        below = np.where(x < places[0], 0.0, np.where(x >= places[-1], 1.0, below))
        found.append((true, quantiles, (((below - (x >= true)) ** 2).sum()) * (x[1] - x[0])))
    assert len(found) > 20
    for true, quantiles, crps in found:
        one = Forecasts(
            np.full((1, 1, 1), true), np.zeros((1, 1, 1)), quantiles[None, None, None], np.ones(1), np.ones(1)
        )
        assert forecast_metrics([one], levels)["CRPS"] == pytest.approx(crps, abs=2e-4)


def test_the_crps_of_many_normal_quantiles_is_that_of_the_normal_distribution():
    """Gneiting, Raftery, 2007, eq. 21: sigma [z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)]."""
    from scipy.stats import norm

    levels = tuple(np.arange(1, 2000) / 2000)
    true = np.array([-2.0, 0.0, 0.7, 3.0]).reshape(4, 1, 1)
    part = Forecasts(true, true, np.tile(1 + 2 * norm.ppf(levels), (4, 1, 1, 1)), np.ones(1), np.ones(1))
    z = (true - 1) / 2
    expected = 2 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert forecast_metrics([part], levels)["CRPS"] == pytest.approx(expected.mean(), rel=1e-3)


def test_the_weighted_quantile_loss_is_its_formula():
    levels = (0.1, 0.25, 0.5, 0.9)
    part = drawn_forecasts(levels)
    losses = [
        sum(
            2 * max(a * (x - q), (a - 1) * (x - q))
            for x, q in zip(part.true.flat, part.quantiles[..., at].flat, strict=True)
        )
        for at, a in enumerate(levels)
    ]
    whole = np.abs(part.true).sum()
    assert forecast_metrics([part], levels)["WQL"] == pytest.approx(np.mean([loss / whole for loss in losses]))


def test_without_quantiles_the_crps_is_the_absolute_error():
    part = drawn_forecasts()._replace(quantiles=None)
    found = forecast_metrics([part], (0.1, 0.9))
    assert found["CRPS"] == pytest.approx(found["scaled MAE"])


def test_what_is_missing_is_not_scored():
    part = drawn_forecasts()
    hole = part.true.copy()
    hole[1:] = np.nan
    cut = forecast_metrics(
        [part._replace(true=part.true[:1], mean=part.mean[:1], quantiles=part.quantiles[:1])], (0.1, 0.25, 0.5, 0.9)
    )
    assert forecast_metrics([part._replace(true=hole)], (0.1, 0.25, 0.5, 0.9)) == pytest.approx(cut)
