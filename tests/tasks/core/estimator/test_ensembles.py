"""Ensembles: folds, the mean of the members, scores out of the folds, runs that go on, files."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.cli.app import app
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.estimator.ensembles import folds_of, mean_table
from loopcell.tasks.core.model_kind import MODEL
from loopcell.tasks.core.score_table import ScoreTable

QUICK = {"hidden_size": 8, "epochs": 3, "random_state": 1, "batch_size": 8, "dropout": 0.2}
ESTIMATORS = [SequenceClassifier, SequenceRegressor, SequenceTagger]


def data(kind, count=40):
    drawn = np.random.default_rng(0)
    X = [drawn.standard_normal((int(steps), 2)) for steps in drawn.integers(1, 9, count)]
    if kind is SequenceRegressor:
        return X, [float(x.sum()) for x in X]
    if kind is SequenceTagger:
        return X, [["up" if step > 0 else "down" for step in x[:, 0]] for x in X]
    return X, ["high" if x.sum() > 0 else "low" for x in X]


def said(model, X):
    """Return what a model says in numbers, one array."""
    if isinstance(model, SequenceRegressor):
        return model.predict(X)
    return np.concatenate([np.atleast_2d(one) for one in model.predict_proba(X)])


def weights(model):
    return {name: tensor.clone() for name, tensor in model.network_.state_dict().items()}


def test_folds_have_every_example_once_and_each_label_in_proportion():
    labels = ["a"] * 23 + ["b"] * 7 + ["c"]
    folds = folds_of(labels, 5, seed=3)
    assert sorted(np.concatenate([fold for _, fold in folds]).tolist()) == list(range(31))
    for rest, fold in folds:
        assert sorted([*rest, *fold]) == list(range(31))
        counts = {label: sum(labels[at] == label for at in fold) for label in "ab"}
        assert counts["a"] in (4, 5)
        assert counts["b"] in (1, 2)
    assert any(
        (one[1] != other[1]).any()
        for one, other in zip(folds, folds_of(labels, 5, seed=4), strict=True)
        if len(one[1]) == len(other[1])
    )
    with pytest.raises(UsageError, match="ensemble=5 needs at least 5 examples, one for each fold, not 4"):
        folds_of([0] * 4, 5, seed=0)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_answer_is_the_mean_of_the_members_and_a_file_keeps_them(kind, tmp_path):
    X, y = data(kind)
    model = kind(**QUICK, ensemble=3).fit(X, y)
    members = [model._member(number) for number in range(3)]
    np.testing.assert_allclose(said(model, X), np.mean([said(member, X) for member in members], axis=0), atol=1e-6)
    first, second = (said(member, X) for member in members[:2])
    assert np.abs(first - second).max() > 1e-3
    model.save(tmp_path / "m.safetensors")
    loaded = kind.load(tmp_path / "m.safetensors")
    assert (said(loaded, X) == said(model, X)).all()
    assert loaded.ensemble == 3
    assert [row["member"] for row in model.history_] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len(model.outcomes_) == 3


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_held_out_score_is_of_each_example_by_the_member_that_did_not_see_it(kind):
    X, y = data(kind)
    model = kind(**QUICK, ensemble=4).fit(X, y)
    score = model.score_held_out(X, y)
    metric = {SequenceRegressor: "MSE"}.get(kind, "accuracy")
    found, sizes = [], []
    for number, (rest, fold) in enumerate(model._folds):
        assert not set(rest) & set(fold)
        parts = [X[at] for at in fold], [y[at] for at in fold]
        found.append(model._member(number).evaluate(*parts).model[metric])
        sizes.append(len(fold))
    assert score.model[metric] == pytest.approx(np.average(found, weights=sizes))
    assert score.data == "40 sequences, each out of its fold; means of the folds"
    if kind is SequenceClassifier:
        assert score.confusion.sum() == 40
    assert len(score.rows) == 3  # two baselines beside it, one of which learns, without the fold


def test_a_mean_of_tables_leaves_out_what_a_table_does_not_have():
    tables = [ScoreTable("a", {"model": {"R2": 0.5, "MSE": 1.0}}), ScoreTable("b", {"model": {"MSE": 3.0}})]
    roots = [ScoreTable("", {"model": {"MSE": square, "RMSE": square**0.5}}) for square in (1.0, 9.0)]
    assert mean_table(roots, [1, 3]).rows["model"] == {"MSE": 7.0, "RMSE": pytest.approx(7.0**0.5)}
    assert mean_table(tables, [1, 3]).rows == {"model": {"R2": 0.5, "MSE": 2.5}}


def test_a_member_is_what_a_model_of_its_examples_would_be():
    X, y = data(SequenceClassifier)
    model = SequenceClassifier(**QUICK, ensemble=3).fit(X, y)
    counts = model._member(1).network_.class_counts
    rest, _ = model._folds[1]
    labels, expected = np.unique([y[at] for at in rest], return_counts=True)
    assert labels.tolist() == model.classes_.tolist()
    assert counts.tolist() == expected.tolist()
    assert int(model.network_.examples) == 2 * 40  # each example is learned from by two of three


class Stop(Exception):
    """Raised in the middle of a run."""


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("stopped_at", [1, 4])
def test_a_run_that_was_cut_off_goes_on_as_if_it_never_was(kind, stopped_at, tmp_path):
    X, y = data(kind)
    whole = kind(**QUICK, ensemble=3).fit(X, y, run=tmp_path / "whole")
    rows = []

    def stop(row):
        rows.append(row)
        if len(rows) > stopped_at:
            raise Stop

    with pytest.raises(Stop):
        kind(**QUICK, ensemble=3, callbacks=stop).fit(X, y, run=tmp_path / "run")
    model = kind(**QUICK, ensemble=3, callbacks=lambda row: None).fit(X, y, run=tmp_path / "run", resume=True)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(model)[name], tensor, rtol=0, atol=0)
    loaded = kind.load(tmp_path / "run")
    assert (said(loaded, X) == said(model, X)).all()
    alone = kind.load(tmp_path / "run" / "member-2")  # a model of its own
    np.testing.assert_allclose(said(alone, X), said(model._member(1), X), atol=1e-6)


def test_an_interruption_leaves_the_members_that_were_trained(tmp_path):
    X, y = data(SequenceClassifier)
    rows = []

    def interrupt(row):
        rows.append(row)
        if len(rows) == 4:
            raise KeyboardInterrupt

    model = SequenceClassifier(**QUICK, ensemble=3, callbacks=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, run=tmp_path / "run")
    if hasattr(model, "network_"):
        assert int(model.network_.trained) <= 2
    assert (tmp_path / "run" / "member-1" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        (
            {"ensemble": 3},
            {"validation": ([np.zeros((2, 2))], ["low"])},
            "ensemble=3 holds out each of its folds in turn",
        ),
        ({"ensemble": 3, "warm_start": True}, {}, "an ensemble begins anew"),
        ({"ensemble": 50}, {}, "ensemble=50 needs at least 50 examples, one for each fold, not 40"),
        ({"ensemble": 0}, {}, "ensemble"),
    ],
)
def test_what_an_ensemble_cannot_do_is_said(settings, options, said):
    with pytest.raises(UsageError, match=said):
        SequenceClassifier(**QUICK, **settings).fit(*data(SequenceClassifier), **options)


def test_a_tagger_of_several_networks_has_a_stream_and_no_crf():
    X, y = data(SequenceTagger)
    with pytest.raises(UsageError, match="a CRF's best labels of several networks have no mean"):
        SequenceTagger(**QUICK, ensemble=2, crf=True).fit(X, y)
    model = SequenceTagger(**QUICK, ensemble=2).fit(X, y)
    with pytest.raises(UsageError, match=r"no common state: read on with tagger.stream\(\)"):
        model.predict_next(X[0])
    found = [one.probabilities for one in model.stream().feed(list(X[0]))]
    np.testing.assert_allclose(found, model.predict_proba(X[:1])[0], atol=1e-5)


def test_what_is_inside_is_shown_of_the_first_member():
    X, y = data(SequenceClassifier)
    model = SequenceClassifier(**QUICK, ensemble=2).fit(X, y)
    shown, alone = model.inspect(X[0]), model._member(0).inspect(X[0])
    assert "shown of the first of 2 networks; the answers are those of all together" in shown.notes[0]
    np.testing.assert_array_equal(shown.layers[0].quantities["h"], alone.layers[0].quantities["h"])
    assert shown.answer[0].probability == pytest.approx(float(model.predict_proba([X[0]]).max()))
    assert model.gradient_flow(X[0], y[0]).loss == pytest.approx(model._member(0).gradient_flow(X[0], y[0]).loss)


def test_a_time_limit_is_shared_by_the_members():
    X, y = data(SequenceClassifier)
    model = SequenceClassifier(**QUICK | {"epochs": 4000, "patience": None}, ensemble=3, time_limit=1.5).fit(X, y)
    assert [outcome.reason for outcome in model.outcomes_] == ["time limit"] * 3


def test_a_hostile_count_of_members_is_harmless(tmp_path):
    X, y = data(SequenceClassifier)
    path = tmp_path / "m.safetensors"
    SequenceClassifier(**QUICK, ensemble=2).fit(X, y).save(path)
    content = read_tensor_file(path, MODEL)
    for trained in (-5, 0, 10**9):
        tensors = {**content.tensors, "trained": torch.tensor(trained)}
        write_tensor_file(path, MODEL, TensorFile(tensors, content.facts))
        assert np.isfinite(SequenceClassifier.load(path).predict_proba(X)).all()
    config = {**content.facts["config"], "ensemble": 100}
    write_tensor_file(path, MODEL, TensorFile(content.tensors, {**content.facts, "config": config}))
    with pytest.raises(FileFormatError, match="is damaged"):
        SequenceClassifier.load(path)


def test_from_the_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    X = drawn.standard_normal((40, 5, 2)).astype(np.float32)
    np.save("X.npy", X)
    np.save("y.npy", np.where(X.sum((1, 2)) > 0, "high", "low"))
    typed = "train classify X.npy y.npy --ensemble 3 --augment jitter=0.01,crop=0.8 --hidden 8 --epochs 2 --seed 1"
    typed += " --run run"
    result = CliRunner().invoke(app, typed.split())
    assert result.exit_code == 0, result.output
    assert "40 sequences, each out of its fold" in result.output
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert (config["ensemble"], config["augment"]) == (3, ["jitter=0.01", "crop=0.8"])
    assert (tmp_path / "run" / "score.json").exists()
    result = CliRunner().invoke(app, ["resume", "run"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["predict", "run", "X.npy"])
    assert result.exit_code == 0, result.output
    assert result.output.count("probability") == 40
