"""Forecasts at the right times: of the calendar, of zones, without a step, from a state, of several series."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from loopcell import AnomalyDetector, Forecaster, load_model
from loopcell.errors import DataError, UsageError
from loopcell.tasks import SeriesState
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 5,
    "history": 6,
    "hidden_size": 4,
    "epochs": 1,
    "head": "mean",
    "device": "cpu",
    "random_state": 1,
    "target": "y",
    "time": "t",
}


def table(times, **more):
    return pd.DataFrame({"t": times, "y": 10 + np.sin(np.arange(len(times))), **more})


def instants(times):
    return (times if times.tz is None else times.tz_convert(None)).to_numpy().astype("datetime64[us]").tolist()


def every(frequency, zone=None, start="2022-01-28", count=48):
    return pd.date_range(start, periods=count, freq=frequency, tz=zone)


THIRTIETH = pd.DatetimeIndex([pd.Timestamp("2021-01-30") + pd.DateOffset(months=number) for number in range(48)])


@pytest.mark.parametrize(
    "times",
    [
        every("MS"), every("ME"), every("QE"), every("YE", start="1960-01-01"), every("W-SUN"), every("B"),
        every("BMS"), every("BME"), every("D", "Europe/Berlin", "2024-03-01"),
        every("D", "Europe/Berlin", "2024-10-01"),
        every("h", "Europe/Berlin", "2024-03-30"), every("h", "UTC"), every("MS", "America/New_York"), THIRTIETH,
    ],
    ids=lambda times: f"{times.freqstr}-{times.tz}",
)  # fmt: skip
def test_forecasts_backtests_and_states_have_the_times_of_the_calendar(times, tmp_path):
    model = Forecaster(**QUICK, calendar=("year",)).fit(table(times[:43]))
    assert (model.notes_, model.zone_) == ([], None if times.tz is None else str(times.tz))
    (forecast,) = model.predict(table(times[:43]))
    assert forecast.times.tolist() == instants(times)[43:]
    assert len({row["time"] for row in forecast.rows()}) == 5
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert (again.step_, again.zone_) == (model.step_, model.zone_)
    (tail,) = again.predict(table(times[30:36]))  # too few to tell every rule
    assert tail.times.tolist() == instants(times)[36:41]
    (backtest,) = again.backtest(table(times), start=40)
    assert backtest[0].times.tolist() == instants(times)[40:45]
    _, state = model.predict_next(table(times[:40]))
    for at in (40, 41):
        state.save(tmp_path / "state")
        (forecast,), state = model.predict_next(
            table(times)[at : at + 1], SeriesState.load(tmp_path / "state")
        )  # fmt: skip
        assert forecast.times.tolist() == instants(times)[at + 1 : at + 6]
    (forecast,), _ = model.predict_next(table(times)[42:43], state)
    assert forecast.times.tolist() == instants(times)[43:]
    assert model.notes_ == []


def test_rows_have_the_offset_of_their_zone():
    model = Forecaster(**QUICK).fit(table(every("D", "Europe/Berlin", "2024-01-01", 88)))
    (forecast,) = model.predict(table(every("D", "Europe/Berlin", "2024-01-01", 89)))
    assert [row["time"] for row in forecast.rows()] == [
        "2024-03-30 00:00+01:00", "2024-03-31 00:00+01:00", "2024-04-01 00:00+02:00", "2024-04-02 00:00+02:00",
        "2024-04-03 00:00+02:00",
    ]  # fmt: skip


def test_several_series_stand_at_places_of_their_own(tmp_path):
    parts = {"end": every("ME"), "first": every("BMS"), "15": every("MS") + pd.Timedelta(days=14), "30": THIRTIETH}
    rows = pd.concat([table(times[:40], s=[name] * 40) for name, times in parts.items()])
    model = Forecaster(**QUICK, series="s").fit(rows)
    model.save(tmp_path / "m.safetensors")
    for one in (model, load_model(tmp_path / "m.safetensors")):
        found = {forecast.series: forecast.times.tolist() for forecast in one.predict(rows.groupby("s").tail(6))}
        assert found == {name: instants(times)[40:45] for name, times in parts.items()}


def test_the_calendar_is_read_on_the_clock_of_the_zone():
    times = every("h", "Europe/Berlin", "2024-03-25", 240)
    model = Forecaster(**QUICK, calendar=("day",)).fit(table(times))
    (series,) = model._read_table(table(times))
    known = model._scaled(series).known
    hours = times.tz_localize(None).hour.to_numpy()
    assert known == pytest.approx(np.stack([np.sin(hours * np.pi / 12), np.cos(hours * np.pi / 12)], 1), abs=1e-6)


def test_a_model_of_before_that_knew_no_zones_reads_as_it_did():
    times = every("h", "Europe/Berlin", "2024-03-25", 240)
    model = Forecaster(**QUICK, calendar=("day",)).fit(table(times))
    facts = json.loads(json.dumps(model.facts()))
    facts["learned"] = {name: facts["learned"][name] for name in ("targets", "series")} | {
        "step": [3600e6, False, True]
    }
    before = Forecaster.from_facts(facts)
    before.network_, before.scales_ = model.network_, model.scales_
    (series,) = before._read_table(table(times))
    hours = times.tz_convert("UTC").hour.to_numpy()
    assert before._scaled(series).known[:, 0] == pytest.approx(np.sin(hours * np.pi / 12), abs=1e-6)
    assert before.predict(table(times))[0].times.tolist() == model.predict(table(times))[0].times.tolist()
    assert "zone" not in before.facts()["learned"]


def test_times_of_another_kind_than_those_of_training_are_refused():
    berlin = every("D", "Europe/Berlin")
    model = Forecaster(**QUICK).fit(table(berlin))
    with pytest.raises(DataError) as caught:
        model.predict(table(berlin.tz_localize(None)))
    assert str(caught.value) == (
        "the series: its times have no zone, and those of training had Europe/Berlin; write them as there, or name the "
        "zone (zone='Europe/Berlin')"
    )
    with pytest.raises(DataError, match=r"its times have UTC, and those of training had none; write them as there$"):
        Forecaster(**QUICK).fit(table(every("D"))).predict(table(every("D", "UTC")))
    with pytest.raises(DataError, match="has steps of 1 day, and the model was trained on steps of 1 business day"):
        Forecaster(**QUICK).fit(table(every("B"))).predict(table(every("D")))
    assert (
        model.predict(table(berlin.tz_convert("UTC")))[0].times.tolist()
        == model.predict(table(berlin))[0].times.tolist()
    )


def test_a_named_zone_places_times_without_one():
    hours = every("h", "Europe/Berlin", "2024-03-29", 100)
    clock = table(hours[:95].tz_localize(None))
    model = Forecaster(**QUICK, zone="Europe/Berlin").fit(clock)
    assert model.predict(clock)[0].times.tolist() == instants(hours)[95:]
    assert model.backtest(clock, start="2024-03-31 03:00")[0][0].times[0] == np.datetime64("2024-03-31T01:00")
    with pytest.raises(UsageError, match="there is no zone 'Berlin'"):
        Forecaster(**QUICK, zone="Berlin").fit(clock)
    with pytest.raises(UsageError, match="zone='UTC' is for time stamps: name their column"):
        Forecaster(**{**QUICK, "time": None}, zone="UTC").fit(clock)


# --- without a step ------------------------------------------------------------------------------------------------


def uneven(count=60):
    return pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(np.random.default_rng(0).integers(1, 9, count)), "h")


def test_without_a_step_there_are_forecasts_by_step(tmp_path):
    times = uneven()
    model = Forecaster(**QUICK, regular=False).fit(table(times))
    (forecast,) = model.predict(table(times))
    assert np.isnat(forecast.times).all()
    assert [list(row) for row in forecast.rows()] == [["step", "y"]] * 5
    assert [row["step"] for row in forecast.rows()] == [1, 2, 3, 4, 5]
    assert np.isfinite(forecast.mean).all()
    assert model.covariates_.of_known() == ["dt"]
    hours = np.diff(times[:54]).astype("timedelta64[h]").astype(int)
    assert model.covariates_.elapsed == 3600 * np.median(hours)
    _, state = model.predict_next(table(times)[:50])
    state.save(tmp_path / "state")
    (after,), _ = model.predict_next(table(times)[50:], SeriesState.load(tmp_path / "state"))
    assert after.mean == pytest.approx(forecast.mean, abs=1e-5)
    assert model.evaluate(table(times)).model["MSE"] > 0


def test_rows_without_a_target_give_the_times_of_forecasts():
    times = uneven()
    model = Forecaster(**QUICK, regular=False, calendar=("day",)).fit(table(times[:50]))
    longer = table(times).assign(y=lambda rows: rows["y"].where(rows.index < 50))
    assert model.predict(longer)[0].times.tolist() == instants(times)[50:55]
    with pytest.raises(DataError) as caught:
        model.predict(longer[:52])
    assert str(caught.value) == (
        "the series: the calendar needs the times of the steps ahead, and of 3 it is not known; add rows at the end of "
        "the table with their times and an empty target"
    )
    plain = Forecaster(**QUICK, regular=False).fit(table(times[:50]))
    rows = list(plain.predict(longer[:52])[0].rows())
    assert [("time" in row, row.get("step")) for row in rows] == [(True, None)] * 2 + [(False, n) for n in (3, 4, 5)]


def test_uneven_numbers_have_forecasts_by_step():
    numbers = np.cumsum(np.random.default_rng(0).integers(1, 9, 60))
    (forecast,) = Forecaster(**QUICK, regular=False).fit(table(numbers)).predict(table(numbers))
    assert [row["step"] for row in forecast.rows()] == [1, 2, 3, 4, 5]


# --- notes and refusals --------------------------------------------------------------------------------------------


def test_what_was_guessed_of_times_is_a_note_said_once():
    dates = [int(f"{day:%Y%m%d}") for day in every("D")]
    model = Forecaster(**QUICK).fit(table(dates))
    note = "the times of column 't' are read as dates in the form YYYYMMDD: 20220128 is 2022-01-28 (to count rows "
    assert model.notes_ == [note + "instead, leave out time=)"]
    (forecast,) = model.predict(table(dates))
    assert str(forecast.times[0])[:10] == "2022-03-17"
    assert len(model.notes_) == 1
    several = pd.concat([table(dates, s=[name] * len(dates)) for name in "ab"])
    assert len(Forecaster(**QUICK, series="s").fit(several).notes_) == 1


def test_a_note_names_the_series_that_it_is_about():
    jitter = pd.DatetimeIndex(
        every("h", count=60) + pd.to_timedelta(np.random.default_rng(0).integers(-99, 99, 60), "s")
    )
    rows = pd.concat([table(every("h", count=60), s=["a"] * 60)] + [table(jitter, s=[name] * 60) for name in "bcd"])
    (note,) = Forecaster(**QUICK, series="s").fit(rows).notes_
    assert note.startswith(
        "series 'b': the times are not even, and no rule of the calendar explains them: a step is taken"
    )
    assert note.endswith("(and 2 more series are of this kind)")


@pytest.mark.parametrize("estimator", [Forecaster(**QUICK), AnomalyDetector(history=6, epochs=1, device="cpu")])
def test_targets_beside_the_table_are_refused(estimator):
    rows = np.arange(60.0)
    with pytest.raises(UsageError) as caught:
        estimator.fit(rows[:, None], rows)
    assert str(caught.value) == (
        f"{type(estimator).__name__} learns from one table and its times: y would not be read. Put it into the table "
        "as a column and name that (target=); columns that help to forecast it are known= or past="
    )
    with pytest.raises(UsageError, match="y would not be read"):
        estimator.score(rows[:, None], rows)
