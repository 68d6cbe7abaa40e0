"""Series with holes: nothing that is missing is learned or scored, and what came later changes nothing before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from loopcell import AnomalyDetector, Forecaster, load_model
from loopcell.errors import DataError, UsageError
from loopcell.tasks import SeriesState
from loopcell.tasks.forecasting.heads import Mean, NegativeBinomial, Quantiles, StudentT
from loopcell.tasks.forecasting.network import ForecastNetwork
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.forecasting.sizes import Sizes
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 4, "history": 12, "season": 6, "hidden_size": 12, "dropout": 0.0, "batch_size": 8, "learning_rate": 1e-2,
    "warmup": 5, "epochs": 4, "device": "cpu", "random_state": 1,
}  # fmt: skip
WAYS = [
    {"fill": "mask"},
    {"fill": "ffill"},
    {"fill": "interpolate", "multivariate": True},
    {"fill": "mask", "segment": 4},
    {"fill": "interpolate", "segment": 4, "normalise": "window"},
    {"fill": "mask", "segment": 4, "normalise": "none", "multivariate": True},
    {"fill": "mask", "roll_out": True, "head": "mean"},
    {"fill": "mask", "cell": "gru_d"},
    {"fill": "mask", "cell": "gru_decay", "multivariate": True},
]


def holes(steps=200, share=0.25, seed=0):
    """A season of 6 in two columns, of which a quarter is missing, and all of it, [T, 2]."""
    drawn = np.random.default_rng(seed)
    full = 10 + np.sin(2 * np.pi * (np.arange(steps)[:, None] + np.arange(2)) / 6) + drawn.normal(0, 0.2, (steps, 2))
    return np.where(drawn.random(full.shape) < share, np.nan, full), full


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_pieces_files_and_states_give_what_the_whole_gives(way, tmp_path):
    data, _ = holes()
    model = Forecaster(**QUICK, **way).fit(data[:160])
    (whole,) = model.predict(data)
    assert np.isfinite(whole.mean).all()
    _, state = model.predict_next(data[:150])
    state.save(tmp_path / "state")
    state = SeriesState.load(tmp_path / "state")
    for step in range(150, 200):  # some of the rows have no value at all
        (last,), state = model.predict_next(data[step : step + 1], state)
    assert last.mean == pytest.approx(whole.mean, abs=1e-5)
    model.save(tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").predict(data)[0].mean, whole.mean)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_no_forecast_knows_what_comes_after_it(way):
    """In particular a straight line to the next value is none that the forecast could have seen."""
    data, _ = holes()
    model = Forecaster(**QUICK, **way).fit(data[:160])
    (before,) = model.backtest(data, start=100, end=196)
    changed = data.copy()
    changed[150:] = 100 - changed[150:]
    (after,) = model.backtest(changed, start=100, end=196)
    same = before.places <= 150
    assert np.array_equal(before.mean[same], after.mean[same])
    assert not np.allclose(before.mean[~same], after.mean[~same])


def test_what_stands_in_the_place_of_a_missing_value_says_nothing():
    """A hole is a hole: however it is written, and whatever a data frame had there."""
    data, _ = holes()
    expected = Forecaster(**QUICK).fit(data[:160]).predict(data)[0].mean
    frame = pd.DataFrame(data, columns=["a", "b"])
    model = Forecaster(**QUICK, target="all").fit(frame[:160])
    assert np.array_equal(model.predict(frame)[0].mean, expected)
    assert np.array_equal(model.predict(frame.astype("Float64"))[0].mean, expected)  # with pandas' own NA
    named = Forecaster(**QUICK, target="all", missing=(-999,)).fit(frame[:160].fillna(-999))
    assert np.array_equal(named.predict(frame.fillna(-999))[0].mean, expected)


def test_a_model_of_holes_is_as_good_as_one_of_everything():
    data, full = holes(600, 0.2)
    settings = QUICK | {"epochs": 25}
    error = {}
    for name, table in (("full", full), ("holes", data)):
        (found,) = Forecaster(**settings).fit(table[:500]).backtest(table, start=500)
        truth = full[found.places[:, None] + np.arange(4)]
        error[name] = ((found.mean - truth) ** 2).mean()
    assert error["holes"] < 2 * error["full"] < 0.5 * np.var(full)


# --- what is learned -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [Mean(()), Quantiles((0.1, 0.9)), StudentT((0.5,)), NegativeBinomial((0.5,))])
def test_the_loss_is_of_what_is_there(head):
    """The value that stands in a hole of the future changes neither the loss nor a gradient; nor does a further one."""
    from loopcell.tasks.forecasting.examples import SeriesBatch

    torch.manual_seed(0)
    network = ForecastNetwork(ForecasterSettings(history=3, hidden_size=4, dropout=0.0), Sizes(2, 0, 0, 1), head, 2)
    values = torch.randint(0, 9, (3 + 2 - 1 + 2, 2, 2)).float()
    nothing = torch.zeros(len(values), 2, 0)
    batch = SeriesBatch(values, nothing, nothing, torch.ones(2, 2), torch.tensor([2, 1]))
    every = network.loss(batch)
    assert every.predictions == (2 + 1) * 2 * 2
    future = values.clone()
    future[-1, 0, 1] = torch.nan  # of the first row the last step: one forecast of two steps ahead
    some = network.loss(batch._replace(values=future))
    assert some.predictions == every.predictions - 1
    assert torch.isfinite(some.total)
    some.total.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters() if weight.grad is not None)
    lacking = network.loss(batch._replace(values=torch.cat([values[:3], torch.full_like(values[3:], torch.nan)])))
    assert (lacking.predictions, lacking.total.detach().item()) == (0, 0.0)


def test_scales_and_masks_are_learned_from_the_training_part():
    data, _ = holes()
    model = Forecaster(**QUICK).fit(data)
    assert model.scales_["targets"].mean[0] == pytest.approx(np.nanmean(data[:180], axis=0))
    assert model.scales_["targets"].size[0] == pytest.approx(np.nanstd(data[:180], axis=0))
    assert model.covariates_.masked
    assert any(note.startswith("no") or "are missing" in note for note in model.notes_)
    complete = Forecaster(**QUICK).fit(np.nan_to_num(data, nan=10.0))
    assert not complete.covariates_.masked
    assert np.isfinite(complete.predict(data)[0].mean).all()  # holes may come later
    told = Forecaster(**QUICK, mask_inputs=True).fit(np.nan_to_num(data, nan=10.0))
    assert told.covariates_.masked
    assert not Forecaster(**QUICK, mask_inputs=False).fit(data).covariates_.masked


def test_windows_without_a_future_are_left_out():
    data, _ = holes(300)
    data[100:200] = np.nan
    model = Forecaster(**QUICK).fit(data)
    assert np.isfinite(model.outcome_.position.best_loss)
    (found,) = model.backtest(data)
    scores = model.evaluate(data)
    count = int(np.isnan(found.true).sum())
    assert f"({count:,} of {found.true.size:,} values are missing and not scored)" in scores.data
    error = found.true - found.mean
    assert scores.model["MSE"] == pytest.approx(np.nanmean(error**2))
    inside = (found.true >= found.quantiles[..., 0]) & (found.true <= found.quantiles[..., -1])
    assert scores.model["coverage 80%"] == pytest.approx(inside[np.isfinite(found.true)].mean())


def test_counts_may_be_missing_too():
    drawn = np.random.default_rng(0)
    counts = drawn.poisson(5, 200).astype(float)
    counts[drawn.random(200) < 0.2] = np.nan
    model = Forecaster(**QUICK, head="negative-binomial").fit(counts)
    (found,) = model.predict(counts)
    assert (found.quantiles == found.quantiles.round()).all()


def test_what_never_varies_stays_where_it_is_missing():
    data = np.full((100, 1), 0.1)
    data[::7] = np.nan
    data[-2:] = np.nan
    model = Forecaster(**QUICK).fit(data)
    (found,) = model.predict(data)
    assert (found.mean == 0.1).all()
    _, state = model.predict_next(data[:-2])
    (found,), _ = model.predict_next(data[-2:], state)
    assert (found.mean == 0.1).all()


def test_looking_inside_of_series_with_holes():
    data, _ = holes()
    for cell in ("gru", "gru_d"):
        found = Forecaster(**QUICK, cell=cell).fit(data[:160]).inspect(data)
        assert len(found.steps) == 200


# --- rows and times ------------------------------------------------------------------------------------------------


def test_rows_that_are_missing_may_be_filled():
    data, _ = holes()
    times = np.datetime64("2024-01-01", "h") + np.arange(200)
    there = np.delete(np.arange(200), [20, 21, 150])
    table = {"t": times[there], "a": data[there, 0], "b": data[there, 1]}
    settings = QUICK | {"time": "t", "target": ("a", "b")}
    with pytest.raises(DataError, match=r"a gap: .* let them be rows without values \(fill_gaps=True\)"):
        Forecaster(**settings).fit(table)
    model = Forecaster(**settings, fill_gaps=True).fit(table)
    whole = data.copy()
    whole[[20, 21, 150]] = np.nan
    expected = Forecaster(**settings).fit({"t": times, "a": whole[:, 0], "b": whole[:, 1]})
    (found,), (same,) = model.predict(table), expected.predict({"t": times, "a": whole[:, 0], "b": whole[:, 1]})
    assert found.mean == pytest.approx(same.mean, abs=1e-4)
    assert any(note.startswith("3 rows are missing among 200 times every 1 hour") for note in model.notes_)


GAPS = [*range(150, 155), 160, 170]


def with_gaps():
    """The same series as a table with gaps, and as one with rows without values."""
    data, _ = holes(share=0)
    times = np.datetime64("2024-01-01", "h") + np.arange(200)
    nan = pd.DataFrame({"t": times, "y": data[:, 0]})
    nan.loc[GAPS, "y"] = np.nan
    return nan.drop(index=GAPS), nan


@pytest.mark.parametrize("kind", [Forecaster, AnomalyDetector])
def test_gaps_are_those_of_rows_without_values_after_training_too(kind, tmp_path):
    gaps, nan = with_gaps()
    settings = QUICK | {"time": "t", "target": "y", "epochs": 1}
    if kind is AnomalyDetector:
        del settings["season"]
    plain, filling = (kind(**settings, fill_gaps=fill).fit(nan[:140]) for fill in (False, True))
    filling.save(tmp_path / "model")

    def said_of(model, table):
        return model.predict(table)[0].mean if kind is Forecaster else model.score_samples(table)[0]

    for model in (filling, load_model(tmp_path / "model")):
        assert np.array_equal(said_of(model, gaps), said_of(plain, nan), equal_nan=True)
        assert any(note.startswith("7 rows are missing among 200 times every 1 hour") for note in model.notes_)
    for work in (plain.predict, plain.evaluate if kind is Forecaster else plain.inspect):
        with pytest.raises(
            DataError, match=r"row 151: a gap: between .* 5 times are missing \(the usual step is 1 hour"
        ):
            work(gaps)
    said, same = (
        [stream.step(row) for row in table.to_dict("records")][-1]
        for stream, table in ((plain.stream(), nan), (filling.stream(), gaps))
    )
    name = "mean" if kind is Forecaster else "score"
    assert getattr(same, name) == pytest.approx(getattr(said, name), abs=1e-5)
    assert "5 rows are missing between 2024-01-07 05:00 and 2024-01-07 11:00: without values, as if empty" in (
        filling.notes_
    )
    assert "the value of y is missing" in plain.notes_


def test_scores_and_pieces_of_series_with_gaps():
    gaps, nan = with_gaps()
    settings = QUICK | {"time": "t", "target": "y", "epochs": 1}
    plain, filling = (Forecaster(**settings, fill_gaps=fill).fit(nan[:140]) for fill in (False, True))
    assert filling.evaluate(gaps, start=140).rows == plain.evaluate(nan, start=140).rows
    _, state = filling.predict_next(gaps[:150])
    for cut in (slice(150, 152), slice(152, 160), slice(160, None)):
        (found,), state = filling.predict_next(gaps[cut], state)
    assert found.mean == pytest.approx(plain.predict(nan)[0].mean, abs=1e-5)
    _, state = plain.predict_next(nan[:150])
    with pytest.raises(DataError, match="a gap: it was read up to 2024-01-07 05:00, and the new rows begin at"):
        plain.predict_next(gaps[150:154], state)
    _, state = filling.predict_next(gaps[:150])
    far = pd.DataFrame({"t": [np.datetime64("2025-01-01T00:00")], "y": [1.0]})
    with pytest.raises(DataError, match="rows are filled in at times of the step, at most a hundred for each"):
        filling.predict_next(far, state)


def test_naive_forecasts_before_the_first_value_are_not_scored():
    data, _ = holes(share=0)
    model = Forecaster(**QUICK | {"epochs": 1}).fit(data)
    late = data.copy()
    late[:30, 1] = np.nan
    table = model.evaluate(late, start=20)
    errors = []
    for place in range(20, 197):
        for column in (0, 1):
            newest = late[place - 1, column]
            errors += [] if np.isnan(newest) else list(late[place : place + 4, column] - newest)
    found = table.rows["naive"]
    assert found["MSE"] == pytest.approx(np.mean(np.square(errors)))
    assert np.isfinite(list(found.values())).all()
    assert "(naive forecasts leave out 10 values: none came before)" in str(table)  # 4 + 3 + 2 + 1 of places 27 to 30
    changed = late.copy()
    changed[30, 1] = 1000.0  # what comes later changes no naive forecast before it
    assert "leave out 10 values" in str(model.evaluate(changed, start=20, end=60))


def test_rows_that_are_missing_count_as_history_in_streams(tmp_path):
    gaps, nan = with_gaps()
    model = Forecaster(**QUICK | {"time": "t", "target": "y", "epochs": 1}, fill_gaps=True).fit(nan[:140])
    rows = gaps[145:].to_dict("records")  # five steps, five that are missing, and more
    with model.stream() as stream:
        said = [stream.step(row) for row in rows[:6]]
        stream.save(tmp_path / "state")
    with model.stream(tmp_path / "state") as stream:
        said.append(stream.step(rows[6]))
    assert [one is not None for one in said] == [False] * 6 + [True]
    (expected,) = model.predict(nan[145:157])
    assert said[-1].mean == pytest.approx(expected.mean, abs=1e-5)


@pytest.mark.parametrize("way", [{}, {"segment": 4}], ids=str)
def test_straight_lines_over_uneven_times_go_on_from_a_state(way, tmp_path):
    data, _ = holes(203)
    hours = np.cumsum(np.random.default_rng(0).choice([1, 9], 203))
    table = pd.DataFrame({"t": np.datetime64("2024-01-01", "h") + hours, "a": data[:, 0]})
    table.loc[[149, 150], "a"] = np.nan  # a line from before the state to after it
    table.loc[198:199, "a"] = 10.0
    table.loc[200:, "a"] = np.nan  # still to come
    settings = QUICK | {"time": "t", "target": "a", "regular": False, "fill": "interpolate", "epochs": 1, "horizon": 3}
    model = Forecaster(**settings | way).fit(table[:140])
    (whole,) = model.predict(table)
    _, state = model.predict_next(table[:152])
    state.save(tmp_path / "state")
    state = SeriesState.load(tmp_path / "state")
    assert state[""].memory.passed is not None
    for part in (table[152:154], table[154:]):
        (found,), state = model.predict_next(part, state)
    assert found.mean == pytest.approx(whole.mean, abs=1e-5)


def test_the_time_since_the_row_before_is_read_where_times_are_not_even():
    drawn = np.random.default_rng(0)
    hours = np.cumsum(drawn.choice([1, 9], 400))
    y = np.concatenate([[0.0], np.diff(hours)]) * 1.0 + drawn.normal(0, 0.1, 400)  # all of it is in the distances
    table = {"t": np.datetime64("2024-01-01", "h") + hours, "y": y}
    settings = QUICK | {"time": "t", "target": "y", "regular": False, "epochs": 25, "horizon": 1}
    model = Forecaster(**settings).fit({name: column[:350] for name, column in table.items()})
    assert model.covariates_.of_known() == ["dt"]
    (found,) = model.backtest(table, start=350)
    assert ((found.true - found.mean) ** 2).mean() < 0.1 * np.var(y)
    ahead = {**table, "y": np.where(np.arange(400) < 399, y, np.nan)}
    assert abs(model.predict(ahead)[0].mean[0, 0] - y[399]) < 2


@pytest.mark.parametrize(
    ("settings", "data", "error", "complaint"),
    [
        ({"target": "a"}, {"a": [None] * 60}, DataError, "there is no value in the column 'a', which is to be learned"),
        ({"cell": "gru_d", "num_layers": 2}, holes()[0], Exception, "use num_layers=1"),
        ({"cell": "gru_d", "segment": 4}, holes()[0], UsageError, "reads what is known of each step, and segments are"),
        ({"fill": "mean"}, holes()[0], UsageError, "fill"),
    ],
)
def test_what_cannot_be_learned_is_one_sentence(settings, data, error, complaint):
    with pytest.raises(error, match=complaint):
        Forecaster(**QUICK | settings).fit(data)


def test_a_cell_that_asks_for_something_else():
    from loopcell import cell, tanh

    @cell
    def windy(x, wind, /, h, *, W, U, V, b):
        h = tanh(W.h @ x + U.h @ h + V.h @ wind + b.h)
        return h  # noqa: RET504 - the name of the state

    with pytest.raises(UsageError, match="cell `windy` reads 'wind', which no data have"):
        Forecaster(**QUICK, cell=windy).fit(holes()[0])


# --- anomalies -----------------------------------------------------------------------------------------------------

DETECT = {name: value for name, value in QUICK.items() if name not in ("season", "horizon")}


@pytest.mark.parametrize("more", [{}, {"horizon": 3, "multivariate": True}, {"cell": "gru_d"}], ids=str)
def test_a_step_without_a_value_has_no_score(more):
    data, full = holes(400, 0.1)
    data[300] = full[300] + 5  # an anomaly
    data[310] = np.nan
    data[305, 0], data[305, 1] = np.nan, full[305, 1]
    model = AnomalyDetector(**DETECT | {"epochs": 15}, **more).fit(data[:250])
    (scores,) = model.score_samples(data)
    first = 12 + more.get("horizon", 1) - 1
    missing = np.isnan(data).all(1)
    assert np.array_equal(np.isnan(scores), missing | (np.arange(400) < first))
    assert scores[300] > model.threshold_
    assert np.isfinite(scores[305])
    rows = list(model.predict_records(data))
    assert len(rows) == 400
    assert rows[310]["score"] is None
    assert not rows[310]["anomaly"]
    assert model.evaluate(data).rows["jump"]["alarms"] >= 0
