"""Looking into forecasters and detectors: the steps are times, and what is said there is what they say elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import AnomalyDetector, Forecaster
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {"history": 12, "hidden_size": 8, "dropout": 0.0, "batch_size": 8, "learning_rate": 1e-2, "warmup": 2}
QUICK |= {"epochs": 3, "device": "cpu", "random_state": 1}


def table(steps=120, extra=()):
    drawn, at = np.random.default_rng(0), np.arange(steps)
    found = {"time": np.datetime64("2024-01-01", "h") + at, "load": 10 + np.sin(at / 2) + drawn.normal(0, 0.2, steps)}
    return found | {name: drawn.normal(size=steps) for name in extra}


def test_the_median_at_each_step_is_that_of_a_backtest_and_the_last_one_of_predict():
    data = table()
    model = Forecaster(time="time", target="load", horizon=2, **QUICK).fit(data)
    seen = model.inspect(data)
    assert seen.steps[:2] == ["2024-01-01", "2024-01-01 01:00"]
    np.testing.assert_array_equal(seen.traces["load"], data["load"])
    (found,) = model.backtest(data)
    for name, level in (("load forecast", 0.5), ("load 10%", 0.1), ("load 90%", 0.9)):
        assert np.isnan(seen.traces[name][:12]).all()
        values = found.quantiles[:, 0, 0, found.levels.index(level)]
        np.testing.assert_allclose(seen.traces[name][found.places], values, rtol=1e-6)
    (forecast,) = model.predict(data)
    assert seen.predictions[:11] == [[]] * 11
    assert seen.predictions[-1][0].label == f"{forecast.quantile(0.5)[0, 0]:.5g}"
    assert seen.answer[0].label.startswith(f"2024-01-06: load forecast {forecast.quantile(0.5)[0, 0]:.5g}")


@pytest.mark.parametrize(
    "settings", [{"multivariate": True}, {"head": "mean"}, {"roll_out": True, "head": "student-t"}]
)
def test_other_ways_of_forecasting_are_seen_too(settings):
    data = table(extra=["price"])
    model = Forecaster(time="time", target=("load", "price"), horizon=2, **QUICK, **settings).fit(data)
    seen = model.inspect(data, target="price")
    assert seen["h"][0].shape == (120, 8)
    assert len(seen.predictions[-1]) == 1
    apart = ("the layers read each target on its own, here 'price'",)
    assert seen.notes == (() if settings.get("multivariate") else apart)
    assert np.isfinite(seen.traces["price forecast"][12:]).all()


def test_targets_that_are_read_apart_have_values_of_their_own():
    data = table(extra=["price"])
    model = Forecaster(time="time", target=("load", "price"), horizon=2, **QUICK).fit(data)
    one, other = model.inspect(data), model.inspect(data, target="price")
    assert abs(one["h"][0] - other["h"][0]).max() > 0.05
    assert one.notes == ("the layers read each target on its own, here 'load'; target= names another",)
    with pytest.raises(UsageError, match="there is no target 'prise'; there is 'load', 'price'"):
        model.inspect(data, target="prise")


def test_a_series_that_is_as_short_as_the_history_is_read_and_nothing_is_expected_within_it():
    data = table(extra=["price"])
    model = Forecaster(time="time", target="load", known="price", horizon=3, **QUICK).fit(data)
    seen = model.inspect({name: values[:12] for name, values in data.items()})
    assert len(seen.steps) == 12
    assert seen.predictions == []
    assert seen.answer == []


def test_what_is_known_ahead_is_used_where_it_is_there():
    data = table(extra=["price"])
    columns = {"time": "time", "target": "load", "known": "price"}
    model = Forecaster(**columns, horizon=3, **QUICK).fit(data)
    assert model.inspect(data).answer == []  # the price of the next hour is not known
    ahead = data | {"load": np.where(np.arange(120) < 119, data["load"], np.nan)}
    seen = model.inspect(ahead)
    assert len(seen.steps) == 119
    assert list(seen.traces) == ["load", "price", "load forecast", "load 10%", "load 90%"]
    assert seen.answer[0].label.startswith("2024-01-05 23:00: load forecast ")


def test_one_series_of_several_is_named():
    data = table()
    data = {name: np.concatenate([values, values]) for name, values in data.items()} | {"id": ["a"] * 120 + ["b"] * 120}
    data["load"][120:] *= 2
    model = Forecaster(time="time", target="load", series="id", horizon=2, **QUICK).fit(data)
    with pytest.raises(UsageError, match=r"there are 2: name it \(series=\), of 'a', 'b'"):
        model.inspect(data)
    with pytest.raises(UsageError, match="there is no series 'c'"):
        model.inspect(data, series="c")
    with pytest.raises(UsageError, match="there are 2 series, and number 3 is asked for"):
        model.inspect(data, series=2)
    np.testing.assert_array_equal(model.inspect(data, series=1).traces["load"], data["load"][120:])
    np.testing.assert_array_equal(model.inspect(data, series="b").traces["load"], data["load"][120:])
    with pytest.raises(DataError, match="has 5 steps, and the model reads 12"):
        model.inspect({name: values[:5] for name, values in data.items()})


def test_scores_and_alarms_are_those_of_the_detector():
    data = table()["load"]
    model = AnomalyDetector(**QUICK, validation_fraction=0.3).fit(data)
    data = data.copy()
    data[90] += 8
    seen, (scores,), (alarms,) = model.inspect(data), model.score_samples(data), model.predict(data)
    np.testing.assert_array_equal(seen.traces["score"], scores)
    np.testing.assert_array_equal(seen.traces["anomaly"], alarms)
    assert [bool(said) for said in seen.predictions] == alarms.tolist()
    assert alarms[90]
    assert seen.predicted == "here"
    assert seen.answer[0].label.startswith(f"{alarms.sum()} of 120 steps are anomalies")
