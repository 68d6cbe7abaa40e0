"""Columns that never vary: forecast to stay exactly as they are, in every way to ask for a forecast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from loopcell import AnomalyDetector, Forecaster, load_model
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks import SeriesState
from loopcell.tasks.forecasting.coverage import moved_to_cover
from loopcell.tasks.forecasting.state import _KIND
from loopcell.tasks.forecasting.still import never_varied
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {"horizon": 3, "history": 6, "hidden_size": 4, "epochs": 1, "device": "cpu", "random_state": 0}
WAVE = np.sin(np.arange(80.0) / 2)

sizes = st.floats(1e-12, 1e12)
constants = st.one_of(st.just(0.0), sizes, sizes.map(lambda size: -size), st.sampled_from([1e300, -1e300, 5e-324, 0.1]))


def stays_at(forecast, value, column=0):
    """Whether a column is forecast as one value exactly, quantiles included."""
    return (forecast.mean[:, column] == value).all() and (forecast.quantiles[:, column] == value).all()


@given(constants, st.sampled_from(["mean", "quantiles", "student-t"]), st.booleans(), st.booleans())
@example(5.0, "quantiles", True, False)
@example(1e-12, "student-t", True, True)
@settings(max_examples=25, deadline=None)
def test_a_constant_is_forecast_as_itself(value, head, roll_out, multivariate):
    data = np.full(60, value)
    model = Forecaster(**QUICK, head=head, roll_out=roll_out, multivariate=multivariate, paths=5).fit(data)
    assert "never varies: it is forecast to stay as it is" in model.notes_[0]
    for history in (data, data[:6]):
        assert stays_at(model.predict(history)[0], value)
    (found,) = model.backtest(data)
    assert (found.mean == value).all()
    assert (found.quantiles == value).all()
    scores = model.evaluate(data)
    assert scores.model["MSE"] == 0
    assert "no MASE: all before it is as it was one season earlier" in scores.data
    assert scores.model.get("quantile loss", 0.0) == 0
    assert scores.model.get("coverage 80%", 1.0) == 1


@pytest.mark.parametrize("roll_out", [False, True])
@pytest.mark.parametrize("count", [0.0, 1.0, 7.0, 1e6])
def test_a_constant_count_is_forecast_as_itself(count, roll_out):
    data = np.full(60, count)
    model = Forecaster(**QUICK, head="negative-binomial", roll_out=roll_out, paths=5).fit(data)
    assert stays_at(model.predict(data)[0], count)


@given(constants)
@settings(max_examples=10, deadline=None)
def test_a_constant_is_forecast_after_every_piece_and_from_a_file(tmp_path_factory, value):
    folder, data = tmp_path_factory.mktemp("still"), np.full(60, value)
    Forecaster(**QUICK).fit(data).save(folder / "model.safetensors")
    model, state = load_model(folder / "model.safetensors"), None
    assert model.still_.tolist() == [[True]]
    for start, stop in ((0, 6), (6, 7), (7, 30), (30, 60)):
        (forecast,), state = model.predict_next(data[start:stop], state)
        assert stays_at(forecast, value)
        state.save(folder / "state.safetensors")
        state = SeriesState.load(folder / "state.safetensors")
    assert state[""].still.tolist() == [True]


@pytest.mark.parametrize("settings", [{}, {"multivariate": True}, {"multivariate": True, "roll_out": True, "paths": 5}])
def test_one_column_stays_and_the_others_are_forecast(settings):
    data = np.stack([WAVE, np.full(80, 5.0), WAVE * 3], axis=1)
    model = Forecaster(**QUICK, **settings).fit(data)
    assert model.still_.tolist() == [[False, True, False]]
    assert model.notes_[0].startswith("'target_2' never varies")
    (forecast,) = model.predict(data)
    assert stays_at(forecast, 5.0, 1)
    assert not stays_at(forecast, data[-1, 0], 0)
    assert (forecast.quantiles[:, 0, 0] < forecast.quantiles[:, 0, -1]).all()


def test_one_series_stays_and_the_others_are_forecast():
    data = [WAVE, np.full(80, -1e9), np.full(80, 1e-9)]
    model = Forecaster(**QUICK).fit(data)
    assert model.notes_[0].endswith("with quantiles that are all the same (and 1 more columns are of this kind)")
    first, *rest = model.predict(data)
    assert not stays_at(first, WAVE[-1])
    assert [stays_at(one, value) for one, value in zip(rest, (-1e9, 1e-9), strict=True)] == [True, True]


def test_a_quiet_history_of_a_series_that_varies_is_not_forced():
    model = Forecaster(**QUICK).fit(WAVE)
    quiet = np.full(20, 0.5)
    assert not stays_at(model.predict(quiet)[0], 0.5)  # one series, whatever it is called: it is known to vary
    assert model.notes_ == Forecaster(**QUICK).fit(WAVE).notes_


def test_a_new_series_without_variation_stays():
    model = Forecaster(**QUICK, target="x", series="s").fit({"s": ["a"] * 80, "x": WAVE})
    (forecast,) = model.predict({"s": ["new"] * 20, "x": np.full(20, 1e-9)})
    assert stays_at(forecast, 1e-9)
    assert model.notes_[-1].startswith("series 'new': 'x' never varies")


@pytest.mark.parametrize("covariate", [np.full(80, 4.0), WAVE])
def test_covariates_do_not_move_what_never_varies(covariate):
    model = Forecaster(**QUICK, target="x", past="c", calendar=()).fit({"x": np.full(80, 2.0), "c": covariate})
    assert stays_at(model.predict({"x": np.full(20, 2.0), "c": 9 + covariate[:20]})[0], 2.0)


def test_a_constant_covariate_leaves_a_series_to_be_forecast():
    model = Forecaster(**QUICK, target="x", known="c").fit({"x": WAVE, "c": np.full(80, 4.0)})
    (forecast,) = model.predict({"x": np.append(WAVE[:20], [np.nan] * 3), "c": np.full(23, 4.0)})
    assert not stays_at(forecast, WAVE[19])


def test_another_level_is_expected_to_stay_too():
    model = Forecaster(**QUICK).fit(np.full(60, 0.1))
    assert stays_at(model.predict(np.full(20, 0.3))[0], 0.3)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_what_begins_to_vary_is_forecast_on_the_scale_of_its_history(size):
    model = Forecaster(**QUICK).fit(np.full(60, 0.0))
    (forecast,) = model.predict(size * WAVE[:40])
    assert (forecast.quantiles[..., 0] < forecast.quantiles[..., -1]).all()
    assert (np.abs(forecast.mean) < 3 * size).all()
    assert forecast.mean == pytest.approx(size * model.predict(WAVE[:40])[0].mean, rel=1e-4)
    (found,) = model.backtest(np.concatenate([np.zeros(20), size * WAVE[:40]]))
    assert (found.mean[found.places <= 20] == 0).all()  # nothing was known of it there
    assert (found.mean[found.places > 22] != 0).all()


def test_a_state_that_never_saw_it_vary_says_so_once_it_does(tmp_path):
    model = Forecaster(**QUICK).fit(np.full(60, 2.0))
    _, state = model.predict_next(np.full(20, 2.0))
    state.save(tmp_path / "state.safetensors")
    (forecast,), state = model.predict_next(np.array([2.0, 7.0]), SeriesState.load(tmp_path / "state.safetensors"))
    assert stays_at(forecast, 7.0)
    assert model.notes_[-1].startswith("'target_1' varies now, and never did when its state was begun")
    assert stays_at(model.predict_next(np.array([8.0]), state)[0][0], 8.0)


def test_what_varies_in_the_held_out_part_only_is_forecast_on_the_scale_of_both():
    data = np.concatenate([np.full(60, 3.0), 3 + 1e-6 * WAVE[:20]])
    model = Forecaster(**QUICK, validation_fraction=0.25).fit(data)
    assert not model.still_.any()
    assert model.scales_["targets"].size[0, 0] == pytest.approx(data.std())
    assert np.abs(model.predict(data)[0].mean - 3).max() < 1e-5


def test_states_and_models_of_before_have_no_such_columns(tmp_path):
    model = Forecaster(**QUICK).fit(WAVE)
    assert "still" not in model.facts()["learned"]
    _, state = model.predict_next(WAVE)
    path = tmp_path / "state.safetensors"
    state.save(path)
    content = read_tensor_file(path, _KIND)
    facts = {"series": [{name: fact for name, fact in content.facts["series"][0].items() if name != "still"}]}
    write_tensor_file(path, _KIND, TensorFile(dict(content.tensors), facts))
    assert SeriesState.load(path)[""].still.tolist() == [False]


def test_the_interval_ends_where_anomalies_begin():
    data = np.full(80, 5.0)
    (forecast,) = Forecaster(**QUICK).fit(data).predict(data)
    detector = AnomalyDetector(**{**QUICK, "horizon": 1}).fit(data)
    low, high = forecast.quantiles[0, 0, [0, -1]]
    for change in (0.0, 5e-12, -5e-12, 1.0):
        came = np.append(data, 5 + change)
        assert bool(detector.predict(came)[0][-1]) is not bool(low <= came[-1] <= high)


def test_what_stays_is_left_out_of_the_calibration():
    drawn = np.random.default_rng(0).normal(size=(400, 3, 2, 2))
    still = np.zeros((400, 2), bool)
    still[:200, 0] = True
    still[50:, 1] = True
    found = moved_to_cover(drawn, still, (0.1, 0.9))
    alone = moved_to_cover(drawn[200:], np.zeros((200, 2), bool), (0.1, 0.9))
    assert (found[:, 0] == alone[:, 0]).all()
    few = moved_to_cover(drawn[:50], np.zeros((50, 2), bool), (0.1, 0.9))
    assert (found[:, 1] == few[:, 1]).all()


def test_rounding_is_no_variation():
    values = np.array([[0.3, 1.0], [0.1 + 0.2, 1.0], [0.3, 1 + 1e-9]])
    assert never_varied(values).tolist() == [[True, True], [True, True], [True, False]]
