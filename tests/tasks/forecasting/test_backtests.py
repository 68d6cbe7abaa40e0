"""Backtests: the slow way beside ours, windows, refits; more and fewer steps; frames; many series."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loopcell import Forecaster
from loopcell.errors import DataError, MissingExtraError, UsageError
from loopcell.tasks.forecasting.network import ForecastNetwork
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 4, "history": 12, "season": 6, "hidden_size": 8, "dropout": 0.0, "batch_size": 8, "epochs": 3,
    "learning_rate": 1e-2,     "device": "cpu", "random_state": 1,
}  # fmt: skip
COLUMNS = {"time": "time", "target": "load", "zone": "Europe/Berlin"}


def wave(steps=240, seed=0):
    return 10 + np.sin(2 * np.pi * np.arange(steps) / 6) + np.random.default_rng(seed).normal(0, 0.3, steps)


def table(steps=240):
    return {"time": np.datetime64("2024-01-01", "h") + np.arange(steps), "load": wave(steps)}


@pytest.fixture(scope="module")
def model():
    return Forecaster(**QUICK).fit(wave()[:200])


@pytest.fixture(scope="module")
def timed():
    return Forecaster(**COLUMNS, **QUICK).fit({name: column[:200] for name, column in table().items()})


def test_a_backtest_is_the_slow_way_and_reads_each_row_once(model, monkeypatch):
    data, read = wave(), []
    plain = ForecastNetwork.read

    def counted(network, values, *rest):
        read.append(len(values))
        return plain(network, values, *rest)

    monkeypatch.setattr(ForecastNetwork, "read", counted)
    (found,) = model.backtest(data, start=200, stride=3)
    assert sum(read) <= len(data)
    read.clear()
    for number, place in enumerate(found.places):
        (slow,) = model.predict(data[:place])
        assert found.mean[number] == pytest.approx(slow.mean, abs=1e-4)
        assert found.quantiles[number] == pytest.approx(slow.quantiles, abs=1e-4)
    assert sum(read) > 10 * len(data)


def test_the_last_windows(model):
    (found,) = model.backtest(wave(), start=200, stride=5, windows=3)
    (every,) = model.backtest(wave(), start=200, stride=5)
    assert found.places.tolist() == every.places[-3:].tolist()
    assert (found.quantiles == every.quantiles[-3:]).all()
    assert model.evaluate(wave(), start=200, windows=3).data.startswith("3 forecasts")


def test_a_refit_learns_what_stands_before_its_places(model):
    data = wave()
    (found,) = model.backtest(data, windows=4, refit="full", refit_every=2)
    for number, cut in ((0, found.places[0]), (1, found.places[0]), (2, found.places[2])):
        (slow,) = Forecaster(**QUICK).fit(data[:cut]).backtest(data, start=int(found.places[number]), windows=None)
        assert found.mean[number] == pytest.approx(slow.mean[0], abs=1e-5)
    assert len(found) == 4
    changed = np.where(np.arange(len(data)) < found.places[2], data, 50.0)
    (other,) = model.backtest(changed, windows=4, refit="full", refit_every=2)
    assert (other.mean[:3] == found.mean[:3]).all()


def test_the_seed_of_refits_is_said_and_repeats_them():
    free = Forecaster(**QUICK | {"random_state": None}).fit(wave())
    (drawn,) = free.backtest(wave(), windows=2, refit="full")
    said = next(note for note in free.notes_ if "refit='full'" in note)
    seed = int(said.split("random_state=")[1].split(",")[0])
    (again,) = free.backtest(wave(), windows=2, refit="full", random_state=seed)
    (other,) = free.backtest(wave(), windows=2, refit="full", random_state=seed + 1)
    assert (again.mean == drawn.mean).all()
    assert (other.mean != drawn.mean).any()
    assert free.random_state is None


def test_a_warm_refit_goes_on_from_the_weights_and_leaves_the_model(model):
    before = {name: tensor.clone() for name, tensor in model.network_.state_dict().items()}
    (warm,) = model.backtest(wave(), windows=2, refit="warm", refit_every=2)
    (cold,) = model.backtest(wave(), windows=2)
    assert (warm.mean != cold.mean).any()
    assert all((tensor == before[name]).all() for name, tensor in model.network_.state_dict().items())
    assert not model.warm_start


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"stride": 0}, "stride is at least 1, got 0"),
        ({"windows": 0}, "windows is at least 1, got 0"),
        ({"refit_every": 0}, "refit_every is at least 1"),
        ({"refit": "often"}, "refit is None, 'warm' or 'full', got 'often'"),
        ({"start": 10_000}, "start=10000 is after the end of the data: it has [0-9]+ steps; begin earlier"),
        ({"start": 60, "end": 50}, "end=50 is not after start=60, so that no step is between; end later"),
        ({"end": 0}, "end=0 is not after the beginning of the data"),
        ({"random_state": 1}, "random_state is the seed of what refit= trains anew, and without it nothing is drawn"),
    ],
)
def test_what_is_no_backtest_is_one_sentence(model, arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        model.backtest(wave(), **arguments)


def test_a_start_after_the_last_time_says_when_that_is(timed):
    with pytest.raises(UsageError, match=r"start='2100-01-01' is after the end of the data: it has \d+ steps, the l"):
        timed.backtest(table(), start="2100-01-01")
    with pytest.raises(DataError, match=r"the longest series has [0-9]+, of which 1 are from start to end"):
        timed.backtest(table(), start=-1)


# --- more and fewer steps -------------------------------------------------------------------------------------------


def test_fewer_steps_are_the_first_ones(timed):
    (whole,), (cut,) = timed.predict(table()), timed.predict(table(), steps=2)
    assert (cut.mean == whole.mean[:2]).all()
    assert (cut.quantiles == whole.quantiles[:2]).all()
    assert (cut.times == whole.times[:2]).all()


def test_more_steps_go_by_the_forecasts_before_them(timed):
    (found,) = timed.predict(table(), steps=10)
    assert found.mean.shape == (10, 1)
    assert (np.diff(found.times) == np.timedelta64(1, "h")).all()
    assert any("steps 5 to 10 are beyond the horizon of 4" in note for note in timed.notes_)
    longer = table(240 + 4)
    (first,) = timed.predict(table())
    longer["load"][240:] = first.mean[:, 0]
    assert found.mean[4:8] == pytest.approx(timed.predict(longer)[0].mean, abs=1e-4)
    before = timed.predict_next(table())[1]
    after = timed.predict_next(table(), steps=10)[1]
    assert (before[""].memory.recent == after[""].memory.recent).all()  # the state is that of what came


def test_a_roll_out_goes_on_along_its_paths():
    model = Forecaster(**QUICK, roll_out=True, paths=20).fit(wave()[:200])
    (found,), (whole,) = model.predict(wave(), steps=9), model.predict(wave())
    assert found.quantiles.shape == (9, 1, 3)
    assert found.mean[:4] == pytest.approx(whole.mean)
    assert not any("beyond" in note for note in model.notes_)


def test_more_steps_need_more_of_what_is_known():
    data = {"load": wave(), "price": np.arange(240.0), "rain": np.arange(240.0)}
    known = Forecaster(target="load", known="price", **QUICK).fit(data)
    with pytest.raises(DataError, match="a forecast of 6 steps needs 'price' of all of them"):
        known.predict(data, steps=6)
    past = Forecaster(target="load", past="rain", **QUICK).fit(data)
    with pytest.raises(UsageError, match="beyond it 'rain' would have to be known"):
        past.predict(data, steps=6)
    assert past.predict(data, steps=2)[0].mean.shape == (2, 1)
    with pytest.raises(UsageError, match="steps is a whole number from 1 to"):
        past.predict(data, steps=0)


# --- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_has_a_row_for_each_step(timed, library):
    (found,) = timed.predict(table())
    frame = found.to_frame(library)
    assert isinstance(frame, pd.DataFrame if library == "pandas" else pl.DataFrame)
    assert list(frame.columns) == ["target", "time", "step", "mean", "quantile_0.1", "quantile_0.5", "quantile_0.9"]
    assert frame["step"].to_list() == [1, 2, 3, 4]
    assert frame["quantile_0.9"].to_list() == found.quantiles[:, 0, 2].tolist()
    first = next(found.rows())
    assert str(frame["time"].to_list()[0])[:16] == first["time"][:10] + " " + first["time"][11:16]
    assert frame["time"].to_list()[0].utcoffset().total_seconds() == 3600


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_of_a_backtest_has_what_came(library):
    data = np.stack([wave(), wave(seed=1)], 1)
    model = Forecaster(**QUICK).fit(data[:200])
    (found,) = model.backtest(data, windows=3, stride=2)
    frame = found.to_frame(library)
    assert len(frame) == 3 * 2 * 4
    rows = frame.to_dict("records") if library == "pandas" else frame.to_dicts()
    for row in rows:
        number, column = found.places.tolist().index(row["origin"] + 1), found.series.target_names.index(row["target"])
        assert row["time"] == row["origin"] + row["step"]
        assert row["actual"] == data[row["time"], column]
        assert row["mean"] == found.mean[number, row["step"] - 1, column]


def test_a_frame_needs_a_library(timed, monkeypatch):
    (found,) = timed.predict(table())
    with pytest.raises(UsageError, match="library is 'pandas' or 'polars', got 'excel'"):
        found.to_frame("excel")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="a data frame needs pandas or polars: pip install pandas"):
        found.to_frame()


def test_results_show_themselves_in_a_notebook(timed):
    assert timed.predict(table())[0]._repr_html_().count("<tr>") == 5
    shown = timed.evaluate(table(), start=200)._repr_html_()
    assert "seasonal naive (6)" in shown
    assert "coverage 80%" in shown


# --- many series ----------------------------------------------------------------------------------------------------


def test_one_model_of_five_hundred_series_keeps_the_scale_of_each(tmp_path):
    """Series of levels from 1 to 1e6: each is forecast on its level, from the file; a new one too."""
    random, steps = np.random.default_rng(0), 40
    levels = np.logspace(0, 6, 500)
    rows = [
        level * (1 + 0.1 * np.sin(2 * np.pi * np.arange(steps) / 6) + random.normal(0, 0.01, steps)) for level in levels
    ]
    data = {"name": np.repeat([f"s{n}" for n in range(500)], steps), "y": np.concatenate(rows)}
    settings = QUICK | {"epochs": 2, "batch_size": 64, "history": 12}
    model = Forecaster(series="name", target="y", **settings).fit(data)
    assert model.scales_["targets"].size.shape == (500, 1)
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    short = {"name": np.repeat([f"s{n}" for n in range(500)], 12), "y": np.concatenate([row[-12:] for row in rows])}
    for one, level in zip(loaded.predict(short), levels, strict=True):
        assert one.mean[:, 0] == pytest.approx(np.full(4, level), rel=0.25)
    new = {"name": ["new"] * steps, "y": 5e7 * (1 + 0.1 * np.sin(2 * np.pi * np.arange(steps) / 6))}
    assert loaded.predict(new)[0].mean[:, 0] == pytest.approx(np.full(4, 5e7), rel=0.25)
