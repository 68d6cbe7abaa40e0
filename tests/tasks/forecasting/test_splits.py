"""A paper's split: by rows, shares and times, how many forecasts each part has, and splits that leave nothing."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster
from loopcell.data.examples import Scale
from loopcell.data.series import series_from
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.covariates import Covariates
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.scaled import scaled
from loopcell.tasks.forecasting.splits import ends_of, span_of
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "time": "time",
    "target": "all",
    "horizon": 6,
    "history": 12,
    "hidden_size": 4,
    "epochs": 1,
    "device": "cpu",
    "random_state": 1,
}


def table(steps=200):
    drawn = np.random.default_rng(0)
    stamps = np.datetime64("2024-01-01", "h") + np.arange(steps)
    return {"time": stamps, "a": drawn.normal(size=steps), "b": 100 + drawn.normal(size=steps)}


def one(steps=200):
    (found,) = series_from(table(steps), target="all", time="time")
    return found


BY_ROWS, BY_SHARES = (100, 60, 40), (0.5, 0.3, 0.2)
BY_TIMES = ("2024-01-05 04:00", "2024-01-07 16:00", "2024-01-09 08:00")


@pytest.mark.parametrize("split", [BY_ROWS, BY_SHARES, BY_TIMES])
def test_rows_shares_and_times_say_the_same(split):
    assert ends_of(one(), split, 6) == (100, 160, 200)
    assert ends_of(one(), split[:2], 6) == (100, 160)
    assert span_of(one(), split, 6) == (160, 200)
    assert span_of(one(), split[:2], 6) == (100, 160)


def test_numpys_numbers_and_times_will_do():
    whole, times = tuple(np.array(BY_ROWS)), tuple(np.array(BY_TIMES, "datetime64[m]"))
    assert checked(Forecaster(split=whole)).split == BY_ROWS
    assert ends_of(one(), checked(Forecaster(split=times)).split, 6) == (100, 160, 200)


@pytest.mark.parametrize("segment", [None, 6])
def test_a_model_is_the_same_whichever_way_its_split_is_written(segment):
    first, *others = (
        Forecaster(**QUICK, segment=segment, split=split).fit(table()) for split in (BY_ROWS, BY_SHARES, BY_TIMES)
    )
    expected = first.predict(table())[0].mean
    for model in others:
        assert (model.predict(table())[0].mean == expected).all()


def test_parts_reach_back_for_their_history_and_every_forecast_is_scored():
    """ETTh1's usual split is 12, 4 and 4 months of 720 hours; papers count 2,785 windows of 96 steps in a test part."""
    days = np.zeros((17_420, 7))
    (series,) = series_from(days)
    (train, validation, test) = ends_of(series, (8640, 2880, 2880), 96)
    nothing = Scale(np.zeros(0), np.ones(0))
    ready = scaled(series, Scale(np.zeros(7), np.ones(7)), lambda one: Covariates().read(one, nothing, None, ""))

    def windows(start, end, horizon=96):
        return len(SeriesExamples([ready], [(start, end - horizon + 1)], 96, horizon, origins=1))

    assert windows(0, train) == 8640 - 96 - 96 + 1 == 8449
    assert windows(train, validation) == windows(validation, test) == 2785
    assert [windows(validation, test, steps) for steps in (192, 336, 720)] == [2689, 2545, 2161]


def test_scores_are_those_of_the_test_part_on_the_scale_of_the_training_part():
    data = table()
    model = Forecaster(**QUICK, segment=6, split=BY_ROWS).fit(data)
    values = np.stack([data["a"], data["b"]], 1)
    size = values[:100].std(0)
    assert model.scales_["targets"].size[0] == pytest.approx(size)
    assert model.scales_["targets"].mean[0] == pytest.approx(values[:100].mean(0))
    score = model.score_held_out(data)
    assert score.data == (  # 40 - 6 + 1
        "test part, 35 forecasts of 6 steps (scaled: of values standardised by the mean and deviation of the training "
        "part, as papers have it)"
    )
    (found,) = model.backtest(data, start=160, end=200)
    assert found.places.tolist() == list(range(160, 195))
    expected = (((found.true - found.mean) / size) ** 2).mean()
    assert score.model["scaled MSE"] == pytest.approx(expected)
    two = Forecaster(**QUICK, split=BY_ROWS[:2]).fit(data)
    assert two.score_held_out(data).data.startswith("validation part, 55 forecasts of 6 steps")


def test_training_does_not_see_the_test_part():
    data = table()
    other = {**data, "a": np.concatenate([data["a"][:160], np.full(40, 1e6)])}
    models = [Forecaster(**QUICK, split=BY_ROWS).fit(one) for one in (data, other)]
    assert (models[0].predict(table(180))[0].mean == models[1].predict(table(180))[0].mean).all()
    assert not models[1].still_.any()


def test_a_backtest_ends_before_a_time():
    model = Forecaster(**QUICK, split=BY_ROWS).fit(table())
    (found,) = model.backtest(table(), start=BY_TIMES[0], end=BY_TIMES[1])
    assert (found.places[0], found.places[-1]) == (100, 154)
    assert model.evaluate(table(), start=100, end=160).data == "55 forecasts of 6 steps"


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ((100, 60, 41), "the series has 200 steps, and the split asks for 100 + 60 + 41 = 201"),
        ((100, 5), "the series: the split leaves 5 steps for validation, and one forecast has 6 (horizon)"),
        (
            ("2024-01-05 04:00", "2024-01-05 04:00"),
            "the series: the split leaves 0 steps for validation, and one forecast has 6 (horizon)",
        ),
        (
            ("2024-01-05 04:00", "2024-01-07 16:00", "2024-01-01"),
            "the series: the split leaves 0 steps for test, and one forecast has 6 (horizon)",
        ),
        (("2023", "2025"), "the series: the split leaves 0 steps for training, and one forecast has 6 (horizon)"),
        ((0.005, 0.5), "the series: the split leaves 1 steps for training, and one forecast has 6 (horizon)"),
    ],
)
def test_a_split_that_leaves_nothing_is_one_sentence(split, sentence):
    with pytest.raises(DataError) as error:
        Forecaster(**QUICK, split=split).fit(table())
    assert str(error.value) == sentence


@pytest.mark.parametrize("split", [(100,), (100, 60, 20, 20), (100, 0.5), (0.6, 0.3, 0.2), (0, 100), 7, "100,60"])
def test_what_is_no_split_is_refused(split):
    with pytest.raises(UsageError, match="a split is two or three numbers of rows"):
        Forecaster(**QUICK, split=split).fit(table())


def test_a_split_and_another_table_to_validate_by_do_not_go_together():
    with pytest.raises(UsageError, match="split says which part is for validation"):
        Forecaster(**QUICK, split=BY_ROWS).fit(table(), validation=table())
    with pytest.raises(UsageError, match="'soon' is not a time to start from"):
        Forecaster(**QUICK, split=("soon", "later")).fit(table())


def test_a_split_is_kept_in_the_file(tmp_path):
    model = Forecaster(**QUICK, split=BY_TIMES).fit(table())
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    assert loaded.score_held_out(table()).model == model.score_held_out(table()).model
