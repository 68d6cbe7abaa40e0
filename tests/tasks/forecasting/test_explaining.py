"""What forecasts stand on: shares that add up, and the lag and the column that a series was made of."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

SETTINGS = {
    "horizon": 4,
    "history": 30,
    "hidden_size": 16,
    "dropout": 0.0,
    "learning_rate": 5e-3,
    "random_state": 1,
    "device": "cpu",
}


def made(steps=1200):
    """A series of what it was 24 steps before and of a covariate that is known; another covariate says nothing."""
    random = np.random.default_rng(0)
    price, noise, other = random.normal(size=(3, steps))
    y = np.zeros(steps)
    for step in range(steps):
        y[step] = (0.8 * y[step - 24] if step >= 24 else random.normal()) + 0.8 * price[step] + 0.3 * noise[step]
    return {
        "load": 100 + 20 * y,
        "price": price,
        "other": other,
        "time": np.datetime64("2024-01-01", "h") + np.arange(steps),
    }


@pytest.fixture(scope="module")
def model():
    return Forecaster(target="load", known=("other", "price"), epochs=15, **SETTINGS).fit(made())


def test_the_lag_and_the_column_that_matter_are_found(model):
    found = model.explain(made(), step=1, places=50)
    assert list(found.by_column)[-1] == "other"
    assert found.by_column["price"] > 3 * found.by_column["other"]
    assert next(iter(found.by_lag)) in (24, 0)
    own = np.abs(found.values[..., found.columns.index("load")]).mean(0)
    assert found.lags[own.argmax()] == 24
    ahead = np.abs(found.values[..., found.columns.index("price")]).mean(0)
    assert found.lags[ahead.argmax()] == 0  # the price of the step that is forecast
    assert found.lines()[0] == "load: forecasts of step 1 from 50 places"


@pytest.mark.parametrize("step", [None, 3])
def test_shares_add_up_to_the_difference(model, step):
    found = model.explain(made(), step=step)
    assert np.abs(found.gap).max() < 0.02 * np.abs(found.answer - found.base).max()
    assert found.values.shape == (16, 30 + 4, 3)
    assert (found.values[:, 30:, 0] == 0).all()  # values to come are not known
    assert found.base == pytest.approx(found.base[0])


def test_the_answer_is_the_forecast_of_the_history_alone(model):
    data = made()
    found = model.explain(data, step=2, places=1)
    part = {name: column[-34:] for name, column in data.items()}
    assert model.backtest(part)[0].mean[0, 1, 0] == pytest.approx(found.answer[0], rel=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"segment": 6},
        {"head": "student-t"},
        {"multivariate": True},
        {"past": "other", "calendar": "day", "time": "time"},
    ],
)
def test_other_networks_are_explained_too(settings):
    data = made(300)
    arguments = {"target": ("load", "price") if "multivariate" in settings else "load"} | settings
    model = Forecaster(**arguments, epochs=1, **SETTINGS).fit(data)
    found = model.explain(data)
    assert np.abs(found.gap).max() < 0.05 * np.abs(found.answer - found.base).max() + 1e-3
    if "past" in settings:
        assert found.columns == ("load", "day", "other")


def test_what_is_missing_and_what_is_a_category_stay_as_they_are():
    data = made(300)
    data["load"] = np.where(np.arange(300) % 7 == 3, np.nan, data["load"])
    data["wind"] = np.where(np.arange(300) % 2, "north", "south")
    model = Forecaster(target="load", known=("price", "wind"), categories="wind", epochs=1, **SETTINGS).fit(data)
    found = model.explain(data, places=3)
    assert np.abs(found.gap).max() < 0.05 * np.abs(found.answer - found.base).max() + 1e-3
    assert found.by_column["wind"] == 0
    assert np.isfinite(found.values).all()


def test_it_is_a_frame_and_a_picture(model):
    found = model.explain(made())
    frame = found.to_frame()
    assert list(frame.columns) == ["lag", "load", "other", "price"]
    assert frame["load"].sum() == pytest.approx(found.by_column["load"])
    assert len(found.plot().containers) == 3


def test_what_cannot_be_explained_is_one_sentence(model):
    with pytest.raises(UsageError, match="step is from 1 to 4"):
        model.explain(made(), step=5)
    with pytest.raises(UsageError, match="there is no target 'gas'"):
        model.explain(made(), target="gas")
    with pytest.raises(DataError, match="there is no place to forecast from"):
        model.explain({name: column[:31] for name, column in made().items()})
    with pytest.raises(UsageError, match="places is at least 1"):
        model.explain(made(), places=0)
