"""Forecaster: what it learns, what it may not see, what it keeps, and what it refuses."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from loopcell import Forecaster, cell, load_model, tanh
from loopcell.errors import DataError, FileFormatError, InputError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks import SeriesState
from loopcell.tasks.core.model_file import MODEL
from loopcell.tasks.forecasting.state import _KIND as SeriesState_KIND
from tests.tasks.conftest import one_thread
from tests.tasks.small import put

__all__ = ["one_thread"]

QUICK = {
    "horizon": 4,
    "history": 12,
    "season": 6,
    "hidden_size": 16,
    "dropout": 0.0,
    "batch_size": 8,
    "learning_rate": 1e-2,
    "warmup": 5,
    "epochs": 25,
    "device": "cpu",
    "random_state": 1,
}


def wave(steps=300, seed=0, columns=2):
    """Columns of a season of 6 with noise, each with a level of its own, [T, K]."""
    t = np.arange(steps)[:, None] + np.arange(columns)
    return 10 + 5 * np.arange(columns) + np.sin(2 * np.pi * t / 6) + np.random.default_rng(seed).normal(0, 0.3, t.shape)


def hours(count, start="2024-01-01"):
    return (np.datetime64(start, "h") + np.arange(count)).astype("datetime64[us]")


@pytest.fixture(scope="module")
def model():
    return Forecaster(**QUICK).fit(wave()[:240])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "mean"},
        {"head": "student-t"},
        {"roll_out": True},
        {"roll_out": True, "head": "mean", "cell": "lstm"},
        {"multivariate": True, "lags": 6},
        {"multivariate": True, "roll_out": True, "num_layers": 2, "head": "student-t"},
    ],
)
def test_it_beats_the_season_before_it(settings):
    table = Forecaster(**{**QUICK, "epochs": 40, **settings}).fit(wave()[:240]).evaluate(wave(), start=240)
    assert list(table.rows) == ["model", "naive", "seasonal naive (6)"]
    assert table.model["MSE"] < 0.9 * table.rows["seasonal naive (6)"]["MSE"]
    assert table.model["MSE"] < 0.5 * table.rows["naive"]["MSE"]
    if settings.get("head") != "mean":
        assert table.model["quantile loss"] < table.rows["seasonal naive (6)"]["quantile loss"]
        assert 0.5 < table.model["coverage 80%"] < 0.98


def test_a_forecast_has_times_means_and_rising_quantiles(model):
    (forecast,) = model.predict(wave())
    assert forecast.times.tolist() == [300, 301, 302, 303]
    assert forecast.mean.shape == (4, 2)
    assert forecast.quantiles.shape == (4, 2, 3)
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    assert (forecast.quantile(0.5) == forecast.quantiles[..., 1]).all()
    assert list(next(forecast.rows())) == [
        "time", "target_1", "target_1_0.1", "target_1_0.5", "target_1_0.9",
        "target_2", "target_2_0.1", "target_2_0.5", "target_2_0.9",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"this forecast has the quantiles 0\.1, 0\.5, 0\.9"):
        forecast.quantile(0.25)


@pytest.mark.parametrize("settings", [{}, {"roll_out": True, "paths": 7}, {"cell": "lstm", "num_layers": 2}])
def test_rows_in_pieces_give_the_forecast_of_the_whole(settings, tmp_path):
    model = Forecaster(**QUICK | {"epochs": 2} | settings).fit(wave()[:240])
    data = wave()
    (whole,) = model.predict(data)
    state = None
    for start, stop in ((0, 100), (100, 101), (101, 250), (250, 300)):
        (forecast,), state = model.predict_next(data[start:stop], state)
        state.save(tmp_path / "state.safetensors")
        state = SeriesState.load(tmp_path / "state.safetensors")
    assert forecast.times.tolist() == whole.times.tolist()
    assert forecast.mean == pytest.approx(whole.mean, abs=1e-4)
    assert forecast.quantiles == pytest.approx(whole.quantiles, abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"roll_out": True, "head": "mean"}])
def test_a_backtest_makes_each_forecast_from_what_was_known_then(settings):
    model = Forecaster(**QUICK | {"epochs": 2} | settings).fit(wave()[:240])
    data = wave()
    (found,) = model.backtest(data, start=250, stride=15)
    assert found.places.tolist() == [250, 265, 280, 295]
    assert (found.true[1] == data[265:269]).all()
    for place, forecast in zip(found.places, found, strict=True):
        (alone,) = model.predict(data[:place])
        assert forecast.mean == pytest.approx(alone.mean, abs=1e-4)
        assert forecast.times.tolist() == alone.times.tolist()
    data[265:] = 1e6  # what comes later is not looked at
    (again,) = model.backtest(data, start=250, stride=15)
    assert (again.mean[:2] == found.mean[:2]).all()


def test_long_series_are_read_in_blocks(model, monkeypatch):
    from loopcell.tasks.forecasting import strategies

    (whole,) = model.backtest(wave())
    monkeypatch.setattr(strategies, "BLOCK", 17)
    (blocks,) = model.backtest(wave())
    assert blocks.mean == pytest.approx(whole.mean, abs=1e-4)


def test_units_make_no_difference():
    small = Forecaster(**QUICK | {"epochs": 3}).fit(wave()).predict(wave())[0].mean
    large = Forecaster(**QUICK | {"epochs": 3}).fit(1e4 * wave() - 1e6).predict(1e4 * wave() - 1e6)[0].mean
    assert (large + 1e6) / 1e4 == pytest.approx(small, abs=2e-3)


def test_covariates_whose_future_is_known_are_used():
    drawn = np.random.default_rng(1)
    price = drawn.normal(size=400)
    table = {"time": hours(400), "load": 3 * price + drawn.normal(0, 0.1, 400), "price": price}
    settings = QUICK | {"target": "load", "time": "time", "known": "price", "calendar": "day", "epochs": 40}
    for more in ({}, {"roll_out": True}):
        model = Forecaster(**settings, **more).fit({name: values[:360] for name, values in table.items()})
        scores = model.evaluate(table, start="2024-01-16")
        assert scores.model["MSE"] < 0.3 * scores.rows["seasonal naive (6)"]["MSE"]
    ahead = {**table, "load": np.where(np.arange(400) < 390, table["load"], np.nan)}
    (forecast,) = model.predict(ahead)
    assert forecast.times.tolist() == table["time"][390:394].tolist()
    with pytest.raises(DataError, match=r"needs .price. of all of them: .* there are 0, add 4"):
        model.predict(table)
    ahead["price"] = np.where(np.arange(400) == 391, np.nan, price)
    with pytest.raises(
        DataError, match="'price' is missing of steps to come, which it has to be known of: 2024-01-17 07:00"
    ):
        model.predict(ahead)


def test_covariates_that_are_known_up_to_now_are_used():
    drawn = np.random.default_rng(1)
    sign = drawn.normal(size=400)
    table = {"y": np.concatenate([[0], 3 * sign[:-1]]) + drawn.normal(0, 0.1, 400), "sign": sign}
    settings = QUICK | {"target": "y", "past": "sign", "horizon": 1, "epochs": 40}
    scores = Forecaster(**settings).fit({k: v[:360] for k, v in table.items()}).evaluate(table, start=360)
    assert scores.model["MSE"] < 0.3 * scores.rows["seasonal naive (6)"]["MSE"]
    with pytest.raises(UsageError, match="a roll-out would need 'sign' of steps that have not come; leave it out"):
        Forecaster(**settings, roll_out=True).fit(table)


def test_the_times_of_an_index_are_those_of_the_forecast():
    frame = pd.DataFrame({"y": wave(columns=1)[:, 0]}, index=pd.date_range("2024-01-01", periods=300, freq="h"))
    model = Forecaster(**QUICK | {"epochs": 1, "target": "y", "calendar": "day"}).fit(frame)
    (forecast,) = model.predict(frame)
    assert str(forecast.times[0]) == "2024-01-13T12:00:00.000000"
    (again,) = Forecaster(**QUICK | {"epochs": 1, "calendar": "day"}).fit(frame["y"]).predict(frame["y"])
    assert again.target_names == ("y",)
    assert again.mean == pytest.approx(forecast.mean)


def test_a_list_of_arrays_is_learned_from_as_several_series():
    model = Forecaster(**QUICK | {"epochs": 1}).fit([np.arange(50.0), 100 + np.arange(60.0)])
    assert model.names_ == ("series_1", "series_2")
    found = model.predict([np.arange(50.0), 100 + np.arange(60.0)])
    assert [one.times[0] for one in found] == [50, 60]


def test_several_series_each_on_its_scale_and_one_that_training_did_not_have():
    frames = [("a", 1.0), ("b", 1e5), ("short", 1.0)]
    rows = [(name, t, size * value) for name, size in frames for t, value in enumerate(wave(columns=1)[:, 0])]
    rows = [row for row in rows if row[0] != "short" or row[1] < 9]
    table = {"shop": [r[0] for r in rows], "t": np.array([r[1] for r in rows]), "sales": np.array([r[2] for r in rows])}
    model = Forecaster(**QUICK, target="sales", time="t", series="shop").fit(table)
    assert model.notes_ == ["1 of 3 series are too short to learn from (12 + 4 steps), the first is 'short'"]
    found = model.backtest(table, start=200)
    assert [one.series.name for one in found] == ["a", "b"]
    assert found[1].mean == pytest.approx(1e5 * found[0].mean, rel=1e-3)
    with pytest.raises(DataError, match="series 'short' has 9 steps, and the model reads 12 before it says anything"):
        model.predict(table)
    new = {"shop": ["c"] * 100, "t": np.arange(100), "sales": 7e3 + 50 * wave(columns=1)[:100, 0]}
    (forecast,) = model.predict(new)
    assert forecast.series == "c"
    assert 7e3 + 50 * 7 < forecast.mean.min() <= forecast.mean.max() < 7e3 + 50 * 13
    _, state = model.predict_next({k: np.array(v)[:60] for k, v in new.items()})
    (again,), state = model.predict_next({k: np.array(v)[60:61] for k, v in new.items()}, state)
    assert list(state) == ["c"]
    assert again.times.tolist() == [61, 62, 63, 64]


@pytest.mark.parametrize("roll_out", [False, True])
def test_counts(roll_out):
    drawn = np.random.default_rng(0)
    rate = 4 + 3.5 * np.sin(2 * np.pi * np.arange(400) / 6)
    counts = drawn.poisson(rate).astype(float)
    settings = QUICK | {"epochs": 40, "batch_size": 32, "head": "negative-binomial"}
    model = Forecaster(**settings, roll_out=roll_out).fit(counts[:340])
    table = model.evaluate(counts, start=340)
    assert table.model["MSE"] < 0.8 * table.rows["seasonal naive (6)"]["MSE"]
    assert 0.7 < table.model["coverage 80%"] <= 1
    (forecast,) = model.predict(counts)
    assert (forecast.quantiles >= 0).all()
    for found in (forecast, *model.backtest(counts, start=300, stride=7)):
        assert (found.quantiles == np.round(found.quantiles)).all()
    with pytest.raises(DataError, match=r"the series at 5: 'target_1' is 0\.5, and head='negative-binomial' is for"):
        model.fit(np.where(np.arange(400) == 5, 0.5, counts))


def test_quantiles_are_moved_to_cover_the_held_out_part():
    settings = QUICK | {"epochs": 2, "validation_fraction": 0.5, "horizon": 2}
    shares = {}
    for calibrate in (True, False):
        model = Forecaster(**settings, calibrate=calibrate, adapt_rate=0.0).fit(wave(400))
        shares[calibrate] = model.evaluate(wave(400), start=200).model["coverage 80%"]
    assert shares[True] == pytest.approx(0.8, abs=0.02)
    assert abs(shares[False] - 0.8) > 0.05
    assert model.network_.shift.abs().max() == 0


@pytest.mark.parametrize("head", ["quantiles", "student-t"])
def test_the_mean_lies_between_the_outer_quantiles(head):
    data = wave(columns=1)
    settings = {"hidden_size": 8, "dropout": 0.2, "learning_rate": 1e-3, "head": head, "adapt_rate": 0.05}
    model = Forecaster(**QUICK | settings).fit(data)  # not learned to the end, so the heads disagree
    for found in (*model.predict(data), *model.backtest(data)):
        assert (found.quantiles[..., 0] <= found.mean).all()
        assert (found.mean <= found.quantiles[..., -1]).all()


def test_quantiles_follow_a_series_that_gets_rougher():
    calm, rough = wave(400), wave(400) + np.random.default_rng(9).normal(0, 1.5, (400, 2))
    shares = {}
    for rate in (0.0, 0.2):
        model = Forecaster(**QUICK, adapt_rate=rate).fit(calm[:300])
        shares[rate] = model.evaluate(np.concatenate([calm[:300], rough[:300]]), start=400).model["coverage 80%"]
    assert shares[0.0] < 0.5
    assert shares[0.2] > 0.65


def test_saved_and_loaded_it_says_the_same(tmp_path):
    @cell
    def mine(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    settings = QUICK | {"epochs": 2, "target": ["y", "z"], "time": "t", "calendar": ["day"], "cell": mine, "lags": 5}
    table = {"t": hours(200), "y": wave(200)[:, 0], "z": wave(200)[:, 1]}
    model = Forecaster(**settings).fit(table)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert (again.predict(table)[0].quantiles == model.predict(table)[0].quantiles).all()
    assert again.get_params()["calendar"] == ["day"]
    assert again.cell.fingerprint == mine.fingerprint
    assert str(again.step_) == "1 hour"
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda f, t: t.pop("shift"), "it lacks the tensor shift"),
        (lambda f, t: t.pop("scale.targets.mean"), "it has no 'scale.targets.mean'"),
        (lambda f, t: t.update(shift=torch.zeros(7)), "the tensor shift should be of shape"),
        (put("learned", "targets", value=["a"] * 5), "a scale is of shape .* and should be"),
        (put("learned", "targets", value=5), "its targets are no names"),
        (put("learned", "series", value=[]), "its series are no names"),
        (put("learned", "step", value=[-1, False, True]), "it is no step of times"),
        (put("config", "horizon", value=2**30), "horizon: input should be less than or equal to"),
        (put("config", "head", value="oracle"), "head: input should be 'mean', 'quantiles'"),
        (put("config", "quantiles", value=[0.9, 0.1]), "quantiles are numbers between 0 and 1 that rise"),
    ],
)
def test_a_damaged_file_is_refused(model, tmp_path, change, complaint):
    path = tmp_path / "m.safetensors"
    model.save(path)
    content = read_tensor_file(path, MODEL)
    facts, tensors = json.loads(json.dumps(content.facts)), dict(content.tensors)
    change(facts, tensors)
    write_tensor_file(path, MODEL, TensorFile(tensors, facts))
    with pytest.raises(FileFormatError, match=complaint):
        Forecaster.load(path)


def test_a_damaged_state_is_refused(model, tmp_path):
    path = tmp_path / "state.safetensors"
    model.save(path)
    with pytest.raises(FileFormatError, match="is not a loopcell state of series: its format is 'loopcell'"):
        SeriesState.load(path)
    _, state = model.predict_next(wave())
    state.save(path)
    content = read_tensor_file(path, SeriesState_KIND)
    for change in ({"time": "NaT"}, {"time": None}, {"step": [1]}, {"states": ["map"]}, {"name": []}):
        facts = {"series": [{**content.facts["series"][0], **change}]}
        write_tensor_file(path, SeriesState_KIND, TensorFile(dict(content.tensors), facts))
        if change != {"name": []}:
            with pytest.raises(FileFormatError, match="is damaged: it does not describe the state of series"):
                SeriesState.load(path)


def test_arguments_are_scikit_learns():
    given = {"horizon": np.int64(3), "target": ["a", "b"], "quantiles": [0.2, 0.8], "random_state": 7}
    model = Forecaster(**given)
    assert all(model.get_params()[name] is value for name, value in given.items())
    assert clone(model).horizon == 3
    scores = cross_val_score(Forecaster(**QUICK | {"epochs": 3}), wave(200), cv=TimeSeriesSplit(2))
    assert (scores < 0).all()
    with pytest.raises(NotFittedError):
        model.predict(wave())


def test_the_same_seed_gives_the_same_model_and_a_run_goes_on(tmp_path):
    data = wave(200)
    settings = QUICK | {"dropout": 0.3, "epochs": 4}
    first = Forecaster(**settings).fit(data)
    again = Forecaster(**settings).fit(data, run=tmp_path / "run")
    assert (again.predict(data)[0].mean == first.predict(data)[0].mean).all()
    resumed = Forecaster(**settings).fit(data, run=tmp_path / "run", resume=True)
    assert (resumed.predict(data)[0].mean == first.predict(data)[0].mean).all()
    with pytest.raises(UsageError, match="was started with other data"):
        Forecaster(**settings).fit(data + 1, run=tmp_path / "run", resume=True)


def test_held_out_steps_are_not_learned_from():
    data = wave(200)
    other = data.copy()
    other[-20:] = 50 + np.arange(40).reshape(20, 2)
    settings = QUICK | {"epochs": 2, "patience": None, "calibrate": False}
    kept = [Forecaster(**settings).fit(one).scales_["targets"].mean for one in (data, other)]
    assert np.array_equal(*kept)
    table = Forecaster(**settings).fit(data[:150], validation=data[100:]).score_held_out(None, data[100:])
    assert "85 forecasts" in table.data


@pytest.mark.parametrize(
    ("settings", "data", "error", "complaint"),
    [
        ({}, wave(15), DataError, r"longest series has 13 \(and 2 held out\); ask for a shorter history or horizon"),
        ({"horizon": 300}, wave(200), DataError, "a history of 12 and a horizon of 300 need 312 steps to train on"),
        ({}, np.full(100, np.nan), DataError, "there is no value in the column 'target_1', which is to be learned"),
        ({}, np.where(np.arange(100) == 7, np.inf, 1.0), DataError, "data row 8, column 'target_1': the value is inf"),
        ({}, np.zeros((3, 3, 3)), DataError, "a time series is an array"),
        ({"target": "y"}, {"x": np.arange(9.0)}, DataError, "data: there is no column 'y'"),
        ({}, {"x": np.arange(9.0)}, UsageError, "name the column to forecast"),
        ({"target": "x", "known": "x"}, {"x": np.arange(9.0)}, UsageError, "the column 'x' is used twice"),
        ({"target": "x", "calendar": "day"}, {"x": np.arange(9.0)}, UsageError, "calendar needs time stamps: name"),
        ({"target": "x", "time": "t", "calendar": "day"}, {"x": wave(60)[:, 0], "t": np.arange(60)}, UsageError,
         "calendar needs time stamps, and column 't' has numbers"),
        ({"lags": 13}, wave(), UsageError, r"lags is at most history \(12\), got 13"),
        ({"head": "median"}, wave(), UsageError, "head: input should be 'mean', 'quantiles', 'student-t' or"),
        ({"quantiles": (0.5, 1.5)}, wave(), UsageError, "quantiles: quantiles are numbers between 0 and 1 that rise"),
        ({"calendar": "moon"}, wave(), UsageError, "calendar"),
        ({"horizon": 0}, wave(), UsageError, "horizon: input should be greater than or equal to 1, got 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_one_sentence(settings, data, error, complaint):
    with pytest.raises(error, match=complaint):
        Forecaster(**QUICK | settings).fit(data)


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (
            np.delete(np.arange(101), 50),
            r"data row 51: a gap: between 49 and 51 1 time is missing \(the usual step is 1\)",
        ),
        (np.minimum(np.arange(100), 98), r"data row 100: the time 98 is there twice \(also data row 99\)"),
        (np.arange(100)[::-1].copy(), "data row 2: the time goes back, from 99 to 98; sort the rows by time"),
    ],
)
def test_times_that_are_not_even_are_named(times, complaint):
    with pytest.raises(DataError, match=complaint):
        Forecaster(**QUICK, target="y", time="t").fit({"y": wave(100)[:, 0], "t": times})


def test_what_cannot_be_forecast_is_one_sentence(model):
    with pytest.raises(DataError, match="the series has 5 steps, and the model reads 12 before it says anything"):
        model.predict(wave(5))
    with pytest.raises(InputError, match=r"trained on 2 columns \(target_1, target_2\), and the series has 1"):
        model.predict(wave(50, columns=1))
    with pytest.raises(DataError, match=r"there is no place to forecast from: that takes 12 steps before it"):
        model.backtest(wave(), start=299)
    with pytest.raises(UsageError, match="'soon' is not a time to start from; write it like '299', or count steps"):
        model.backtest(wave(), start="soon")
    with pytest.raises(UsageError, match="stride is at least 1, got 0"):
        model.backtest(wave(), stride=0)


def test_a_forecast_is_a_number_or_an_error(model):
    data = wave(50)
    data[40] = 1e300
    with pytest.raises(DataError, match=r"the series at 40: 'target_1' is 1e\+300, which is too far from the values"):
        model.predict(data)
    damaged = copy.deepcopy(model)
    damaged.network_.straight.bias.data.fill_(float("nan"))
    with pytest.raises(InputError, match="the series: the forecast is not a number: a value of the history is far"):
        damaged.predict(wave(50))


def test_new_rows_have_to_follow_those_that_were_read():
    table = {"y": wave(100)[:, 0], "t": hours(100)}
    model = Forecaster(**QUICK | {"epochs": 1}, target="y", time="t").fit(table)

    def rows(start, stop):
        return {name: values[start:stop] for name, values in table.items()}

    _, state = model.predict_next(rows(0, 50))
    with pytest.raises(DataError, match="the new rows begin at 2024-01-02, and it was read up to 2024-01-03 01:00 al"):
        model.predict_next(rows(24, 60), state)
    with pytest.raises(
        DataError, match="a gap: it was read up to 2024-01-03 01:00, and the new rows begin at 2024-01-0"
    ):
        model.predict_next(rows(51, 60), state)
    with pytest.raises(DataError, match="its times are of another kind than those that were read before"):
        model.predict_next({"y": table["y"][50:51], "t": np.arange(1)}, state)
    other = Forecaster(**QUICK | {"epochs": 1, "hidden_size": 5}, target="y", time="t").fit(table)
    with pytest.raises(UsageError, match="the state of the series was made by another model"):
        other.predict_next(rows(50, 60), state)
    daily = {"y": table["y"], "t": hours(2400)[::24]}
    with pytest.raises(DataError, match="the series has steps of 1 day, and the model was trained on steps of 1 hour"):
        model.predict(daily)
    both = {"y": np.tile(table["y"], 2), "t": np.concatenate([daily["t"], table["t"]]), "s": ["a"] * 100 + ["b"] * 100}
    with pytest.raises(
        DataError, match="series 'a' has steps of 1 day and series 'b' of 1 hour; a model is trained on"
    ):
        Forecaster(**QUICK, target="y", time="t", series="s").fit(both)


def test_frames_and_files_give_the_same(tmp_path):
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    columns = {"t": [str(time) for time in hours(100)], "y": wave(100)[:, 0]}
    frame = polars.DataFrame(columns)
    frame.write_csv(tmp_path / "t.csv")
    given = [frame, pandas.DataFrame(columns), tmp_path / "t.csv"]
    means = [Forecaster(**QUICK | {"epochs": 1}, target="y", time="t").fit(one).predict(one)[0].mean for one in given]
    assert means[1] == pytest.approx(means[0])
    assert means[2] == pytest.approx(means[0])
