"""Steps of series: the score of an anomaly detector, and forecasts with covariates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcell import AnomalyDetector, Forecaster
from loopcell.errors import DataError, UsageError
from loopcell.export import verify
from loopcell.export.step_model import StepRun

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "random_state": 0, "progress": False, "history": 8}
DRAWN, HOURS = np.random.default_rng(1), np.arange(200)
TABLE: dict[str, Any] = {
    "time": np.datetime64("2024-01-01") + HOURS * np.timedelta64(1, "h"),
    "a": np.sin(HOURS / 5) * 3 + DRAWN.normal(0, 0.3, 200),
    "b": np.cos(HOURS / 9) + 5 + DRAWN.normal(0, 0.3, 200),
    "price": DRAWN.normal(4, 2, 200),
    "wind": DRAWN.normal(0, 1, 200),
}
BESIDE: dict[str, Any] = {"time": "time", "target": ["a", "b"], "known": "price", "past": "wind"}


def held(model: Any, data: Any = TABLE, **which: Any) -> dict[str, float]:
    """Hold the step of a model against the model's own answers to a table; gives the largest difference of each."""
    step = model.step_model(**which)
    return dict(verify(step, StepRun(step), model.step_check(data, **which)).errors)


@pytest.mark.parametrize("more", [{}, {"multivariate": True, "calendar": ("day", "week")}])
def test_a_forecast_with_covariates(more: dict[str, Any]) -> None:
    model = Forecaster(**BESIDE, horizon=3, adapt_rate=0.0, **more, **QUICK).fit(TABLE)
    step = model.step_model()
    assert [one.name for one in step.inputs] == ["values", "known", "ahead", "past"]
    assert held(model)["own offline"] < 1e-4
    known = step.facts["known"]
    assert isinstance(known, list)
    assert known[0] == "price"
    assert next(one.size for one in step.inputs if one.name == "ahead") == 3 * len(known)


@pytest.mark.parametrize("more", [BESIDE, {"multivariate": True}])
def test_the_score_of_a_detector(more: dict[str, Any]) -> None:
    settings = {"time": "time", "target": ["a", "b"], **more}
    model = AnomalyDetector(**settings, horizon=2, validation_fraction=0.3, **QUICK).fit(TABLE)
    assert held(model)["own offline"] < 1e-4


def test_the_alarm_is_that_of_the_detector() -> None:
    model = AnomalyDetector(time="time", target="a", horizon=2, validation_fraction=0.3, **QUICK).fit(TABLE)
    wild = {**TABLE, "a": np.where(HOURS == 90, 40.0, TABLE["a"])}
    runs = StepRun(model.step_model())
    found = [runs.step(values=[value]) for value in wild["a"]]
    first = model.network_.history + model.network_.steps - 1
    alarms = np.array([one["anomaly"][0] for one in found])[first:]
    assert alarms.astype(bool).tolist() == model.predict(wild)[0][first:].tolist()
    assert alarms[90 - first] == 1.0


def test_a_target_that_never_changes_alarms_when_it_does() -> None:
    still = {**TABLE, "b": np.full(200, 7.0)}
    model = AnomalyDetector(time="time", target=["a", "b"], horizon=1, validation_fraction=0.3, **QUICK).fit(still)
    runs = StepRun(model.step_model())
    rows = np.stack([still["a"], still["b"]], 1)
    quiet = [runs.step(values=row)["anomaly"][0] for row in rows[:60]]
    assert np.array_equal(quiet[8:], model.predict(still)[0][8:60])
    assert runs.step(values=[rows[60, 0], 9.0])["anomaly"][0] == 1.0


def test_a_check_is_of_one_series_without_gaps() -> None:
    both = {
        "name": np.repeat(["x", "y"], 200),
        "time": np.tile(TABLE["time"], 2),
        "a": np.concatenate([TABLE["a"], TABLE["b"]]),
    }
    model = Forecaster(series="name", time="time", target="a", horizon=2, **QUICK).fit(both)
    assert held(model, both, series="y")["own offline"] < 1e-4
    with pytest.raises(UsageError, match="training had 2 series"):
        model.step_check(both)
    only = {name: column[:200] for name, column in both.items()}
    with pytest.raises(DataError, match="the data have no series 'y'"):
        model.step_check(only, series="y")
    holes = {**only, "a": np.where(np.arange(200) == 5, np.nan, only["a"])}
    with pytest.raises(DataError, match="has 5 steps without a missing value, and a check needs 10"):
        model.step_check(holes, series="x")
