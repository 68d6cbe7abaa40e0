"""AnomalyDetector: what is unusual, by which threshold, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from loopcell import AnomalyDetector, Forecaster, load_model
from loopcell.errors import DataError, FileFormatError, InputError, UsageError
from loopcell.tasks.forecasting.errors import smoothed
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "history": 12,
    "hidden_size": 16,
    "dropout": 0.0,
    "learning_rate": 1e-2,
    "warmup": 5,
    "epochs": 25,
    "validation_fraction": 0.3,
    "device": "cpu",
    "random_state": 1,
}


def rhythm(steps=500, seed=0):
    """Two columns of a rhythm of 8 with noise, [T, 2]."""
    t = np.arange(steps)[:, None] + np.arange(2)
    return 20 + 5 * np.sin(2 * np.pi * t / 8) + np.random.default_rng(seed).normal(0, 0.3, t.shape)


def disturbed():
    """The same with the rhythm held still for a while, which no single value or step tells, and where that is."""
    data, label = rhythm(400, seed=3), np.zeros(400)
    for start in (150, 300):
        data[start : start + 5] = data[start - 1]
        label[start : start + 5] = 1
    return data, label


@pytest.fixture(scope="module")
def model():
    return AnomalyDetector(**QUICK, alarm_rate=0.005).fit(rhythm())


def test_a_rhythm_that_stops_is_found_where_jumps_say_nothing(model):
    data, label = disturbed()
    (scores,), (found,) = model.score_samples(data), model.predict(data)
    assert np.isnan(scores[:12]).all()
    assert np.isfinite(scores[12:]).all()
    assert (found == (scores > model.threshold_)).all()
    assert found[150:155].any()
    assert found[300:305].any()
    assert found[label == 0].mean() < 0.06  # what follows a disturbance is unusual too
    table = {"a": data[:, 0], "b": data[:, 1], "bad": label}
    scored = AnomalyDetector(**QUICK, target=("a", "b"), label="bad").fit({"a": rhythm()[:, 0], "b": rhythm()[:, 1]})
    rows = scored.evaluate(table).rows
    assert list(rows) == ["model", "jump", "every step"]
    assert rows["model"]["noticed"] == 1
    assert rows["model"]["average precision"] > 2 * rows["jump"]["average precision"]
    assert rows["every step"]["precision"] == pytest.approx(10 / 388)
    assert rows["every step"]["recall"] == 1
    assert scored.score(table) == rows["model"]["average precision"]
    later = scored.evaluate(table, start=200)
    assert later.data == "200 steps"
    assert later.rows["every step"]["precision"] == pytest.approx(5 / 200)


def test_the_share_of_alarms_in_the_quiet_period_is_what_was_asked_for():
    for alarms in (0.1, 0.02, 1e-6):
        model = AnomalyDetector(**QUICK | {"epochs": 2}, alarm_rate=alarms).fit(rhythm())
        (scores,) = model.score_samples(rhythm())
        assert (scores[350:] > model.threshold_).sum() == int(alarms * 150)
        assert model.score_held_out(rhythm()).model["alarms"] == pytest.approx(int(alarms * 150) / 150)
    quiet = rhythm(200, seed=5)
    model = AnomalyDetector(**QUICK | {"epochs": 2}, alarm_rate=0.1).fit(rhythm(), validation=quiet)
    assert (model.score_samples(quiet)[0][12:] > model.threshold_).sum() == 18
    assert "188 steps" in model.score_held_out(None, quiet).data
    with pytest.raises(UsageError, match="the threshold comes from a quiet period: hold out some of the data"):
        AnomalyDetector(**QUICK | {"validation_fraction": 0.0}).fit(rhythm())


def test_a_usual_step_scores_about_one(model):
    (scores,) = model.score_samples(rhythm(seed=8))
    assert np.sqrt((scores[12:] ** 2).mean()) == pytest.approx(1, abs=0.15)


def test_errors_of_several_steps_ahead_count_together():
    model = AnomalyDetector(**QUICK, horizon=4).fit(rhythm())
    data, label = disturbed()
    (scores,) = model.score_samples(data)
    assert np.isnan(scores).sum() == 12 + 3
    assert scores[label == 1].max() > 3 * np.nanmedian(scores)
    data[200:] = 0  # what comes later does not change what was said
    (again,) = model.score_samples(data)
    assert again[15:200] == pytest.approx(scores[15:200])


def test_distances_by_hand():
    from loopcell.tasks.forecasting.errors import UsualErrors

    usual = UsualErrors(2)
    errors = np.random.default_rng(0).multivariate_normal([1, 2], [[4, 1], [1, 2]], 20_000)
    usual.learn([errors], 0.01)
    inverse = np.linalg.inv([[4, 1], [1, 2]])
    expected = [np.sqrt(np.array(d) @ inverse @ d / 2) for d in ([3, 0], [1, -1])]
    assert usual.distance(np.array([[4.0, 2.0], [2.0, 1.0]])) == pytest.approx(expected, rel=0.03)
    assert (usual.distance(errors) > float(usual.threshold)).mean() == pytest.approx(0.01, abs=1e-3)
    still = UsualErrors(2)
    still.learn([np.stack([np.arange(9.0), np.zeros(9)], 1)], 0.1)  # a number that is always right
    assert np.isfinite(still.distance(np.ones((1, 2)))).all()


def test_metrics_by_hand():
    from loopcell.tasks.forecasting.anomaly_metrics import anomaly_metrics

    true, scores = np.array([1.0, 0, 1, 1, 0, 1]), np.array([np.nan, 3, 1, 5, 0, 1])
    found = anomaly_metrics([true], [scores], 2)
    assert found["precision"] == 1 / 2
    assert found["recall"] == 1 / 3
    assert found["noticed"] == 1 / 2
    assert found["alarms"] == 2 / 5
    assert "ROC AUC" not in anomaly_metrics([np.zeros(3)], [np.ones(3)], 2)


def test_saved_and_loaded_it_says_the_same(model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = load_model(path)
    assert (again.score_samples(rhythm())[0][12:] == model.score_samples(rhythm())[0][12:]).all()
    assert again.threshold_ == model.threshold_
    assert clone(again).alarm_rate == 0.005
    with pytest.raises(FileFormatError, match="holds the model of another task: 'anomaly-detector'"):
        Forecaster.load(path)
    state = {name: tensor.clone() for name, tensor in model.network_.state_dict().items()}
    assert torch.equal(state["usual.threshold"], again.network_.usual.threshold)


def test_several_series_and_times():
    times = np.datetime64("2024-01-01", "h") + np.tile(np.arange(250), 2)
    table = {"t": times, "x": rhythm()[:, 0], "machine": ["a"] * 250 + ["b"] * 250}
    model = AnomalyDetector(**QUICK | {"epochs": 2}, target="x", time="t", series="machine").fit(table)
    rows = list(model.predict_records(table))
    assert len(rows) == 500
    assert rows[0] == {"series": "a", "time": "2024-01-01", "score": None, "anomaly": False}
    assert rows[-1]["series"] == "b"
    assert rows[-1]["score"] > 0


@pytest.mark.parametrize(
    ("settings", "table", "error", "complaint"),
    [
        ({"label": "bad"}, {"x": rhythm()[:, 0]}, DataError, "data: there is no column 'bad'"),
        ({"label": "bad"}, {"x": rhythm()[:, 0], "bad": np.arange(500)}, DataError,
         "the series at 2: 'bad' is 2, and has to be 0 or 1"),
        ({}, {"x": rhythm(9)[:, 0]}, DataError, "has 9 steps, and the model reads 12 before it says anything"),
        ({}, {"x": np.full(50, np.nan)}, DataError, "there is no step with a score: the first"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_one_sentence(settings, table, error, complaint):
    model = AnomalyDetector(**QUICK | {"epochs": 1} | settings, target="x").fit({"x": rhythm()[:, 0]})
    with pytest.raises(error, match=complaint):
        model.evaluate(table)


def test_alarms_out_of_bounds():
    with pytest.raises(UsageError, match="alarm_rate: input should be greater than 0, got 0"):
        AnomalyDetector(**QUICK, alarm_rate=0.0).fit(rhythm())


@pytest.mark.parametrize(
    ("value", "change"), [(5, 5), (5, 0.01), (0, 0.003), (20.37, 0.01), (1e9, 5), (-1e-12, 1e-13), (0.1, -0.1)]
)
def test_a_quiet_period_without_any_change_has_a_threshold_and_what_differs_is_an_alarm(tmp_path, value, change):
    quiet = np.full(120, float(value))
    new = quiet.copy()
    new[60] += change
    model = AnomalyDetector(**QUICK | {"epochs": 1}).fit(quiet)
    (note,) = model.notes_
    assert note == (
        "'target_1' never changes in training and in the quiet period: any other value will be an alarm, unless a "
        "quiet period is given that has the usual changes (validation=)"
    )
    assert np.isfinite(model.threshold_)
    model.save(tmp_path / "m.safetensors")
    for one in (model, load_model(tmp_path / "m.safetensors")):
        assert np.isfinite(one.score_samples(new)[0][12:]).all()
        assert np.flatnonzero(one.predict(new)[0]).tolist() == [60]
        assert not one.predict(quiet)[0].any()
    assert model.score_held_out(quiet).model == {"alarms": 0.0, "mean score": 0.0}


@pytest.mark.parametrize("settings", [{}, {"multivariate": True}, {"horizon": 3}, {"alarm_rate": 0.2}])
def test_a_column_that_stands_still_beside_one_that_moves(settings):
    data = np.stack([np.full(400, 7.0), rhythm(400)[:, 0]], 1)
    model = AnomalyDetector(**QUICK | {"epochs": 2} | settings).fit(data)
    disturbed = data.copy()
    disturbed[200, 0] = 7.5
    before, after = (model.score_samples(one)[0] for one in (data, disturbed))
    assert after[200] > 100 * model.threshold_
    same = after[201:] == pytest.approx(before[201:], rel=1e-3)
    assert same or settings.get("horizon") or settings.get("multivariate")


def test_a_quiet_period_that_stands_still_after_a_training_that_moves():
    data = np.concatenate([np.random.default_rng(0).normal(5, 1, 300).round(1), np.full(140, 5.0)])
    model = AnomalyDetector(**QUICK).fit(data)
    assert model.notes_[0].startswith("'target_1' never changes in the quiet period: so small changes will be alarms")
    jump = data.copy()
    jump[400] = 9.0
    assert np.isfinite(model.score_samples(jump)[0][12:]).all()
    assert model.predict(jump)[0][400]
    assert not model.predict(data)[0][400]


def test_a_value_that_float32_cannot_hold_is_refused():
    model = AnomalyDetector(**QUICK | {"epochs": 1}).fit(rhythm()[:, 0])
    wrong = rhythm()[:, 0]
    wrong[100] = 1e300
    with pytest.raises(DataError, match=r"the series at 100: 'target_1' is 1e\+300, which is too far from the"):
        model.predict(wrong)


def test_a_model_without_a_threshold_says_so():
    model = AnomalyDetector(**QUICK | {"epochs": 1}).fit(rhythm())
    model.network_.usual.threshold.fill_(float("nan"))
    with pytest.raises(InputError, match="this model has no threshold, since nothing changed in its quiet period"):
        model.predict(rhythm())


def test_smooth_scores_are_means_around_a_step_and_make_no_stream():
    scores = np.array([np.nan, 1.0, 2.0, 6.0, np.nan, 3.0])
    frame = pd.Series(scores).rolling(3, center=True, min_periods=1).mean().where(np.isfinite(scores))
    np.testing.assert_allclose(smoothed(scores, 3), frame)
    assert smoothed(scores, 1) is scores
    plain = AnomalyDetector(**QUICK | {"epochs": 2}).fit(rhythm())
    smooth = AnomalyDetector(**QUICK | {"epochs": 2}, smooth=9).fit(rhythm())
    found, single = smooth.score_samples(rhythm())[0], plain.score_samples(rhythm())[0]
    np.testing.assert_allclose(found, smoothed(single, 9), atol=1e-9)
    assert smooth.threshold_ < plain.threshold_
    with pytest.raises(UsageError, match="smooth=9: a score is the mean of those of the steps around it"):
        smooth.stream()
