"""Scales of series that training did not have: of the rows before what is forecast, and of no others."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import AnomalyDetector, Forecaster
from loopcell.errors import DataError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 4, "history": 12, "hidden_size": 8, "dropout": 0.0, "epochs": 1, "device": "cpu", "random_state": 1,
}  # fmt: skip
STEPS = 120


def wave(steps=STEPS, seed=0):
    return 10 + 2 * np.sin(np.arange(steps) / 3) + np.random.default_rng(seed).normal(0, 0.3, steps)


def named(name, **columns):
    return {"s": [name] * len(next(iter(columns.values()))), **columns}


@pytest.fixture(scope="module")
def model():
    return Forecaster(**QUICK, target="x", series="s").fit(named("a", x=wave()))


@pytest.fixture(scope="module")
def both():
    settings = QUICK | {"target": ("x", "y"), "series": "s", "multivariate": True}
    return Forecaster(**settings).fit(named("a", x=wave(), y=wave(seed=1)))


def same(found, forecast, number=0):
    return found.mean[number] == pytest.approx(forecast.mean, rel=1e-4) and found.quantiles[number] == pytest.approx(
        forecast.quantiles, rel=1e-4
    )


def test_no_forecast_of_a_new_series_knows_what_comes_after_its_place(model):
    data = 100 + wave(seed=3)
    changed = np.where(np.arange(STEPS) < 80, data, data + 1000)
    (found,), (other,) = (model.backtest(named("new", x=each)) for each in (data, changed))
    before = found.places <= 80
    assert (found.mean[before] == other.mean[before]).all()
    assert (found.quantiles[before] == other.quantiles[before]).all()
    assert found.places[0] == 12


@pytest.mark.parametrize("start", [12, 50, 100])
def test_the_first_forecast_is_that_of_the_rows_before_it(model, start):
    data = 100 + wave(seed=3)
    (found,) = model.backtest(named("new", x=data), start=start)
    assert same(found, model.predict(named("new", x=data[:start]))[0])
    for each in (1, 9):  # and those after it are what `predict_next` gives from there
        _, state = model.predict_next(named("new", x=data[:start]))
        (after,), _ = model.predict_next(named("new", x=data[start : start + each]), state)
        assert same(found, after, each)
    (last,) = model.backtest(named("new", x=data), windows=1)
    assert same(last, model.predict(named("new", x=data[: STEPS - 4]))[0])


def test_a_series_of_training_keeps_its_scale(model):
    data = 100 + wave(seed=3)
    (found,) = model.backtest(named("a", x=data), start=50)
    for number in (0, 20):
        assert same(found, model.predict(named("a", x=data[: 50 + number]))[0], number)


def test_what_begins_to_vary_is_on_the_scale_of_what_came_up_to_there(both):
    x, y = 100 + wave(seed=3), np.where(np.arange(STEPS) < 60, 7.0, 7 + 50 * wave(seed=4))
    (found,) = both.backtest(named("new", x=x, y=y))
    assert (found.mean[found.places <= 60, :, 1] == 7).all()
    for place in (12, 61):  # the first ones of their scales
        number = found.places.tolist().index(place)
        assert same(found, both.predict(named("new", x=x[:place], y=y[:place]))[0], number)
    (other,) = both.backtest(named("new", x=x, y=np.where(np.arange(STEPS) < 90, y, 1e6)))
    before = found.places <= 90
    assert (found.mean[before] == other.mean[before]).all()
    assert found.size == pytest.approx([x.std(), y.std()])


def test_what_never_varied_in_training_knows_nothing_to_come_either():
    model = Forecaster(**QUICK).fit(np.zeros(STEPS))
    data = wave()
    (found,) = model.backtest(data)
    (other,) = model.backtest(np.where(np.arange(STEPS) < 80, data, 1e6))
    before = found.places <= 80
    assert (found.mean[before] == other.mean[before]).all()
    assert same(found, model.predict(data[:12])[0])


def test_a_note_says_by_what_new_series_are_scaled(model):
    names = ["new"] * STEPS + ["newer"] * STEPS + ["a"] * STEPS
    model.evaluate({"s": names, "x": np.tile(wave(), 3)}, start=40)
    assert model.notes_[-1] == (
        "series 'new' was not in training: it is scaled by its first 40 rows, which come before all that is forecast "
        "(and 1 more series are of this kind)"
    )


def test_places_without_a_value_before_them_are_left_out(model):
    late = np.where(np.arange(STEPS) < 30, np.nan, wave())
    (found,) = model.backtest(named("late", x=late))
    assert found.places[0] == 31
    assert any(note.startswith("series 'late': 19 places are not forecast, since") for note in model.notes_)
    with pytest.raises(DataError, match="a column has no value before the places that are to be forecast"):
        model.backtest(named("late", x=late), end=30)


def test_an_explanation_is_of_the_forecasts_of_a_backtest(model):
    data = 100 + wave(seed=3)
    (found,) = model.backtest(named("new", x=data), windows=16)
    explained = model.explain(named("new", x=data), step=1)
    changed = np.where(np.arange(STEPS) < found.places[-1], data, 1e6)
    assert (model.explain(named("new", x=changed), step=1).values == explained.values).all()


def test_a_warm_start_scales_a_new_series_by_its_training_part():
    model = Forecaster(**QUICK, target="x", series="s", warm_start=True).fit(named("a", x=wave()))
    data, ready = wave(seed=3), []
    plain = model._examples
    model._examples = lambda series, spans, **more: (ready.append(series[0]), plain(series, spans, **more))[1]
    model.fit(named("new", x=data))
    cut = STEPS - round(model.validation_fraction * STEPS)
    assert ready[0].scale.mean == pytest.approx([data[:cut].mean()])


def test_an_anomaly_detector_says_that_it_knows_all_rows_of_a_new_series():
    quiet = QUICK | {"horizon": 1, "target": "x", "series": "s"}
    said = "series 'new' was not in training: it is scaled by all of its 120 rows, so what is said of a row knows those"
    for ask in ("score_samples", "predict", "evaluate", "inspect"):
        model = AnomalyDetector(**quiet).fit(named("a", x=wave()))
        getattr(model, ask)(named("a", x=wave()))
        assert not any("was not in training" in note for note in model.notes_)
        getattr(model, ask)(named("new", x=wave()))
        assert any(note.startswith(said) for note in model.notes_)


def test_a_validation_table_with_new_series_is_said_to_be_scaled_by_all_of_it():
    model = Forecaster(**QUICK, target="x", series="s")
    model.fit(named("a", x=wave()), validation=named("new", x=wave(seed=3)))
    assert any("'new' was not in training: it is scaled by all of its 120 rows" in note for note in model.notes_)


# --- uneven times ---------------------------------------------------------------------------------------------------


def test_scores_of_uneven_times_say_that_the_times_ahead_are_known():
    times, data = np.cumsum(np.random.default_rng(0).exponential(1, STEPS) + 0.1), wave()
    model = Forecaster(**QUICK, time="t", target="x", regular=False).fit({"t": times, "x": data})
    assert any(note.startswith("regular=False: training and backtests know the times") for note in model.notes_)
    assert model.evaluate({"t": times, "x": data}).data.endswith("(the times of the steps ahead are known)")
    (found,) = model.backtest({"t": times, "x": data}, windows=1)
    told = model.predict({"t": times, "x": np.where(np.arange(STEPS) < STEPS - 4, data, np.nan)})[0]
    assert same(found, told)  # with the times of the steps ahead a prediction is what the score is of
    assert not any("are not given" in note for note in model.notes_)
    guessed = model.predict({"t": times[:-4], "x": data[:-4]})[0]
    assert not same(found, guessed)
    assert model.notes_[-1].startswith("the times of steps ahead are not given, so each is taken to come at the usual")
    even = Forecaster(**QUICK, time="t", target="x").fit({"t": np.arange(STEPS), "x": data})
    even.evaluate({"t": np.arange(STEPS), "x": data})
    assert not any("times" in note for note in even.notes_)


@pytest.mark.parametrize("kind", ["int64", "float64", "datetime64[h]"])
def test_times_ahead_that_are_given_are_not_said_to_be_missing(kind):
    times = np.cumsum(np.random.default_rng(0).integers(1, 9, STEPS)).astype("int64").astype(kind)
    data = np.where(np.arange(STEPS) < STEPS - 4, wave(), np.nan)
    model = Forecaster(**QUICK, time="t", target="x", regular=False).fit({"t": times, "x": data})
    model.predict({"t": times, "x": data})
    assert not any("are not given" in note for note in model.notes_)
    model.predict({"t": times[:-1], "x": data[:-1]})
    assert "the times of steps ahead are not given" in model.notes_[-1]
