"""A search: its laws are that it goes on as if it had not stopped, and that the best trial's model is the one kept."""

import json

import numpy as np
import pytest

import loopcell
from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.tasks.core.models import load_model
from loopcell.tuning import Interval, tune, usual_space

pytest.importorskip("optuna")

SPACE = {"hidden_size": (4, 8, 12), "learning_rate": Interval(1e-4, 1e-1)}


@pytest.fixture(scope="module")
def data():
    drawn = np.random.default_rng(0)
    X = [drawn.normal(size=(drawn.integers(3, 9), 2)).astype(np.float32) for _ in range(60)]
    return X, [float(x[:, 0].sum()) for x in X]


def model(**given):
    return loopcell.SequenceRegressor(**{"epochs": 3, "device": "cpu", "batch_size": 8, **given})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("tuning") / "run"
    return path, tune(model(), *data, space=SPACE, trials=8, folder=path)


def test_the_best_trial_is_the_model_that_is_kept(folder, data):
    path, found = folder
    scores = [trial.score for trial in found.trials if trial.state == "finished"]
    assert found.metric == "MSE"
    assert not found.larger_is_better
    assert found.best.score == min(scores)
    again = model(**found.best_settings, random_state=0).fit(*data)
    assert again.score_held_out(*data).model["MSE"] == pytest.approx(found.best.score)
    for kept in (load_model(path / "model.safetensors"), found.best_estimator):
        assert kept.predict(data[0]) == pytest.approx(again.predict(data[0]), rel=1e-4)
    assert found.best_estimator.callbacks is None  # the one of the search is not the model's


def test_a_search_that_goes_on_makes_the_choices_of_one(folder, data, tmp_path):
    _, whole = folder
    for count in (3, 6, 8):
        parts = tune(model(), *data, space=SPACE, trials=count, folder=tmp_path / "run")
    for one, other in zip(whole.trials, parts.trials, strict=True):
        assert (one.choices, one.settings, one.state) == (other.choices, other.settings, other.state)
        assert other.score == (None if one.score is None else pytest.approx(one.score, rel=1e-4))
    assert parts.best_estimator.predict(data[0]) == pytest.approx(whole.best_estimator.predict(data[0]), rel=1e-4)
    assert [file.suffix for file in (tmp_path / "run").glob("*.safetensors")] == [".safetensors"]


def test_a_trial_that_is_behind_ends_early(data):
    X, y = data
    good, bad = (1e-2, 1.2e-2, 1.4e-2, 1.6e-2, 1.8e-2, 2e-2), (1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6)
    space = {"learning_rate": (*good, *bad)}
    found = tune(model(epochs=6), X, y, space=space, trials=12)
    every = tune(model(epochs=6), X, y, space=space, trials=12, prune=False)
    assert {trial.state for trial in every.trials} == {"finished"}
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.number >= 5 and 4 <= len(trial.figures) <= 6 and trial.score is None for trial in pruned)
    for trial in pruned:  # the least loss so far is above the median of the last ones of those that had finished
        at = len(trial.figures) - 1
        before = [one.figures[at] for one in found.trials[: trial.number] if one.state == "finished"]
        assert min(trial.figures) > np.median(before)


def test_no_choice_is_made_twice_and_a_search_ends_when_all_are_made(data):
    found = tune(model(), *data, space={"hidden_size": (4, 8)}, trials=9)
    assert sorted(trial.settings["hidden_size"] for trial in found.trials) == [4, 8]
    assert found.exhausted
    assert "every choice was made" in found.table()


def test_what_goes_together_is_chosen_together(data):
    pairs = ((4, 1), (8, 2))
    found = tune(model(), *data, space={("hidden_size", "num_layers"): pairs}, trials=5)
    assert {(t.settings["hidden_size"], t.settings["num_layers"]) for t in found.trials} == set(pairs)


def test_a_refused_choice_is_a_failure_that_is_told(data):
    found = tune(model(), *data, space={"hidden_size": (4, -3, 10**9)}, trials=3)
    failed = {trial.settings["hidden_size"]: trial for trial in found.trials if trial.state == "failed"}
    assert set(failed) == {-3, 10**9}
    assert "hidden_size" in failed[-3].reason
    assert "2 failed" in found.table()
    with pytest.raises(InputError, match="of 1 trials none finished; the last failure: hidden_size"):
        tune(model(), *data, space={"hidden_size": (-3,)}, trials=1)


def test_larger_scores_are_better_where_they_are(data):
    X, y = data
    labels = ["up" if value > 0 else "down" for value in y]
    classifier = loopcell.SequenceClassifier(epochs=3, device="cpu", batch_size=8)
    found = tune(classifier, X, labels, space={"learning_rate": (1e-2, 1e-5)}, trials=2)
    assert found.metric == "accuracy"
    assert found.larger_is_better
    assert found.best.score == max(trial.score for trial in found.trials)


def test_a_folder_of_another_search_or_other_data_is_refused(folder, data, tmp_path):
    path, _ = folder
    X, y = data
    with pytest.raises(UsageError, match="on other data, or the data changed"):
        tune(model(), X, [*y[:-1], 0.5], space=SPACE, trials=8, folder=path)
    with pytest.raises(UsageError, match="with other choices"):
        tune(model(), X, y, space={"hidden_size": (4, 8)}, trials=8, folder=path)
    with pytest.raises(UsageError, match=r"with other arguments \(epochs\); name a new folder"):
        tune(model(epochs=4), X, y, space=SPACE, trials=8, folder=path)
    (tmp_path / "other").write_text("mine")
    with pytest.raises(UsageError, match="is no search"):
        tune(model(), X, y, space=SPACE, trials=1, folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no table"),
        ('{"number": 1}', "settings"),
        ({"score": None}, "no trial 0"),
        ({"choices": {"hidden_size": 0}}, "no trial 0"),
        ({"choices": {"hidden_size": 99, "learning_rate": 0.01}}, "no choice"),
        ({"choices": {"hidden_size": -1, "learning_rate": 0.01}}, "no choice"),
        ({"choices": {"hidden_size": 0, "learning_rate": 7.0}}, "no choice"),
    ],
)
def test_a_damaged_trial_is_told(data, tmp_path, content, reason):
    tune(model(epochs=1), *data, space=SPACE, trials=1, folder=tmp_path)
    path = tmp_path / "trial-0000.json"
    path.write_text(content if isinstance(content, str) else json.dumps({**json.loads(path.read_text()), **content}))
    with pytest.raises(FileFormatError, match=f"trial-0000.json is damaged.*{reason}"):
        tune(model(epochs=1), *data, space=SPACE, trials=1, folder=tmp_path)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        ({}, "nothing is searched"),
        ({"hidden": (1, 2)}, "did you mean 'hidden_size'"),
        ({"random_state": (1, 2)}, "random_state is not searched"),
        ({"hidden_size": ()}, "a list of values or an Interval"),
        ({"hidden_size": "4,8"}, "a list of values or an Interval"),
        ({"hidden_size": (4, 4)}, "listed twice"),
        ({"hidden_size": (4,), ("hidden_size", "num_layers"): ((4, 1),)}, "named twice"),
        ({("hidden_size", "num_layers"): (4, 8)}, "2 values are listed together"),
        ({("hidden_size", "num_layers"): Interval(1, 2)}, "go together"),
    ],
)
def test_a_space_of_no_estimator_is_refused(data, space, reason):
    with pytest.raises(UsageError, match=reason):
        tune(model(), *data, space=space, trials=1)


@pytest.mark.parametrize("split", [(120, 40, 40), (0.6, 0.2, 0.2)])
def test_of_three_parts_the_test_part_judges_nothing(split):
    t = np.arange(200)
    table = {"y": np.sin(t / 4) + 0.01 * t}
    other = {"y": np.where(t < 160, table["y"], 99 - t)}  # another test part
    settings = {"target": "y", "history": 8, "horizon": 2, "epochs": 1, "device": "cpu", "segment": None}
    space = {"hidden_size": (4, 8)}
    estimator = loopcell.Forecaster(**settings, split=split)
    found, again = (tune(estimator, data, space=space, trials=2) for data in (table, other))
    assert [trial.score for trial in found.trials] == [trial.score for trial in again.trials]
    best = found.best_estimator
    assert best.split == split  # of the model the test part is the last one again
    assert best.score_held_out(table).model != again.best_estimator.score_held_out(other).model
    whole = loopcell.Forecaster(**settings, split=split, random_state=0, **found.best_settings).fit(table)
    assert best.predict(table)[0].mean == pytest.approx(whole.predict(table)[0].mean, rel=1e-5)


def test_intervals():
    assert Interval(16, 256).whole
    assert Interval(16, 256).logarithmic
    assert not Interval(0.0, 0.5).logarithmic
    assert not Interval(16, 64).logarithmic
    for ends in ((1, 1), (2, 1), ("a", 2), (0, float("inf")), (True, 2)):
        with pytest.raises(UsageError, match="interval"):
            Interval(*ends)
    with pytest.raises(UsageError, match="begins above 0"):
        Interval(0, 2, log=True)


def test_bad_calls(data):
    with pytest.raises(UsageError, match="at least 1; got 0"):
        tune(model(), *data, trials=0)
    with pytest.raises(InputError, match="nothing is; try"):
        tune(model(validation_fraction=0.0), *data, trials=1)


def test_the_usual_space_of_series_has_history_and_segments():
    space = usual_space(loopcell.Forecaster(target="load", history=48))
    assert space["history"] == (24, 48, 96, 192)
    assert space["segment", "normalise"] == ((None, None), (12, "last"), (24, "last"))
    assert ("segment", "normalise") not in usual_space(loopcell.Forecaster(target="load", roll_out=True))
    assert "num_layers" in usual_space(loopcell.LanguageModel())


def test_the_result_is_a_table_records_and_a_picture(folder, tmp_path):
    _, found = folder
    lines = found.table().splitlines()
    assert lines[0].startswith("8 trials: ")
    assert lines[2].startswith(f"trial {found.best.number} ")
    assert [row["number"] for row in found.records()] == list(range(8))
    assert {row["hidden_size"] for row in found.records()} <= {4, 8, 12}
    for ending in ("json", "csv", "png", "svg"):
        found.save(tmp_path / f"tuning.{ending}")
    kept = json.loads((tmp_path / "tuning.json").read_text())
    assert kept["best"] == found.best_settings
    assert (tmp_path / "tuning.csv").read_text().count("\n") == 9
    assert len(found.plot().lines) >= 2
    with pytest.raises(InputError, match=r"is saved as \.json, \.csv, \.png"):
        found.save(tmp_path / "tuning.txt")
