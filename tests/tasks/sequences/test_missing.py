"""Sequences with missing values, from `fit` to a file and a stream: what is learned, said, refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import SequenceData
from loopcell.errors import DataError
from loopcell.tasks.sequences.baselines.sequences import summaries
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

NAN = np.nan
SHORT = {**QUICK, "hidden_size": 4, "epochs": 2}


def with_holes(count=200, seed=0):
    """Noise of two columns; where the second is missing tells the class."""
    drawn = np.random.default_rng(seed)
    y = drawn.integers(0, 2, count)
    X = [drawn.normal(100, 5, (drawn.integers(4, 9), 2)) for _ in range(count)]
    for x, label in zip(X, y, strict=True):
        x[drawn.random(len(x)) < (0.6 if label else 0.1), 1] = NAN
    return X, y


def test_what_is_missing_is_learned_from():
    X, y = with_holes()
    told = SequenceClassifier(**QUICK, epochs=15, pooling="mean").fit(X, y)
    untold = SequenceClassifier(**QUICK, epochs=15, pooling="mean", mask_inputs=False, fill="interpolate").fit(X, y)
    others, labels = with_holes(100, seed=5)
    assert told.score(others, labels) > 0.8
    assert untold.score(others, labels) < told.score(others, labels)
    assert "of x1 are missing: the network reads the mean there, and a mask and the time since" in told.notes_[0]


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
@pytest.mark.parametrize("timed", [False, True])
def test_saved_and_loaded_it_answers_the_same(kind, timed, tmp_path):
    X, y = with_holes(40)
    times = [np.cumsum(x[:, 0]) for x in X] if timed else None
    model = kind(**SHORT).fit(X, y, times=times)
    model.save(tmp_path / "m.safetensors")
    again = kind.load(tmp_path / "m.safetensors")
    assert np.array_equal(model.predict(X, times=times), again.predict(X, times=times))
    assert again.score(X, y, times=times) == model.score(X, y, times=times)


def test_times_tell_what_steps_do_not():
    drawn = np.random.default_rng(0)
    X = [np.zeros((6, 1)) for _ in range(300)]
    times = [np.cumsum(drawn.exponential(10.0, 6)) for _ in X]
    y = np.array([one[-1] - one[0] for one in times])  # nothing of it is in X
    model = SequenceRegressor(**QUICK, epochs=20).fit(X[:250], y[:250], times=times[:250])
    assert model.score(X[250:], y[250:], times=times[250:]) > 0.8


def test_a_model_with_times_asks_for_them_and_one_without_refuses_them():
    X, y = with_holes(20)
    times = [np.arange(len(x)) for x in X]
    with pytest.raises(DataError, match="training had the times of steps: give them here too"):
        SequenceClassifier(**SHORT).fit(X, y, times=times).predict(X)
    with pytest.raises(DataError, match="X comes with times, and training had none"):
        SequenceClassifier(**SHORT).fit(X, y).predict(X, times=times)


def test_the_summaries_of_baselines_are_of_what_is_there():
    X, y = with_holes(60)
    X[3][:, 1] = NAN
    model = SequenceRegressor(**SHORT).fit(X, y)
    found = summaries(model.input_, X)
    for x, row in zip(X, found, strict=True):
        for column in range(2):
            there = x[~np.isnan(x[:, column]), column]
            own = [there.mean(), there.std(), there.min(), there.max(), there[0], there[-1]] if len(there) else NAN
            np.testing.assert_allclose(row[column:12:2], own)
    scaled = np.nan_to_num(StandardScaler().fit_transform(found))
    ridge = Ridge().fit(scaled, y).predict(scaled)
    table = model.evaluate(X, y, training=(X, y))
    assert table.rows["summary ridge"]["MSE"] == pytest.approx(((ridge - y) ** 2).mean())
    assert table.rows["model"]["RMSE"] == pytest.approx(table.rows["model"]["MSE"] ** 0.5)


def test_infinity_is_still_refused_and_scikit_learn_knows_that_gaps_are_not():
    X, y = with_holes(20)
    X[7][2, 0] = np.inf
    with pytest.raises(DataError, match=r"X\[7\] has an infinite value at step 3, value 1 of 2"):
        SequenceClassifier(**SHORT).fit(X, y)
    assert get_tags(SequenceClassifier()).input_tags.allow_nan


@pytest.mark.parametrize(
    ("kind", "y", "what"),
    [
        (SequenceClassifier, [None, "a", "b", float("nan")] * 3, "a label"),
        (SequenceRegressor, np.array([NAN, 1.0, 2.0, NAN] * 3), "a number"),
        (SequenceRegressor, np.array([[1.0, NAN], [1, 2], [3, 4], [NAN, NAN]] * 3), "a number"),
    ],
)
def test_an_example_without_a_target_is_named_with_all_others(kind, y, what):
    X, _ = with_holes(12)
    with pytest.raises(DataError) as caught:
        kind(**SHORT).fit(X, y)
    assert str(caught.value) == (
        f"y[0] is nothing: every example needs {what}; 6 have none of 12 (y[0], y[3], y[4], y[7], y[8], ...): leave "
        "these examples out"
    )


def test_steps_without_a_label_are_counted_and_left_out():
    X, _ = with_holes(30)
    y = [np.where(np.isnan(x[:, 1]), NAN, np.arange(len(x)) % 2) for x in X]
    lacking = sum(np.isnan(one).sum() for one in y)
    model = SequenceTagger(**SHORT, validation_fraction=0).fit(X, y)
    assert model.classes_.tolist() == [0.0, 1.0]
    assert f"{lacking} of {sum(map(len, X))} steps have a label that is not known: nothing is" in model.notes_[1]
    table = model.evaluate(X, y)
    assert table.data == f"30 sequences, {sum(map(len, X))} steps ({lacking} without a label left out)"
    given = np.concatenate(model.predict(X))
    true = np.concatenate(y)
    assert table.model["accuracy"] == pytest.approx((given == true)[~np.isnan(true)].mean())


@pytest.mark.parametrize("fill", ["mask", "ffill"])
@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_with_gaps_and_times_gives_the_labels_of_the_whole(fill, size, tmp_path):
    X, _ = with_holes(60)
    y = [np.cumsum(np.isnan(x[:, 1])) % 2 for x in X]
    drawn = np.random.default_rng(1)
    times = [np.cumsum(drawn.exponential(2.0, len(x))) for x in X]
    model = SequenceTagger(**QUICK, epochs=4, fill=fill).fit(X, y, times=times)
    x, time = np.concatenate(X[:6]), np.cumsum(drawn.exponential(2.0, sum(map(len, X[:6]))))
    whole, pieces, state = model.predict([x], times=[time])[0], [], None
    for at in range(0, len(x), size):
        given, state = model.predict_next(x[at : at + size], state, times=time[at : at + size])
        state.save(tmp_path / "state")
        state = type(state).load(tmp_path / "state")
        pieces.append(given)
    assert np.array_equal(np.concatenate(pieces), whole)


def test_an_inspection_shows_gaps_and_its_page_is_no_worse(tmp_path):
    X, y = with_holes(30)
    times = [np.arange(len(x)) * 2.0 for x in X]
    model = SequenceClassifier(**SHORT).fit(X, y, times=times)
    seen = model.inspect(SequenceData(X, times=times)[4:5])
    np.testing.assert_array_equal(seen.traces["x1"], X[4][:, 1])
    seen.save(tmp_path / "page.html")


@pytest.mark.parametrize("name", ["gru_d", "gru_decay", "lstm_time_aware"])
def test_a_cell_for_gaps_learns_is_saved_and_streams(name, tmp_path):
    X, y = with_holes(120)
    drawn = np.random.default_rng(1)
    times = [np.cumsum(drawn.exponential(2.0, len(x))) for x in X]
    model = SequenceClassifier(**{**QUICK, "cell": name}, epochs=12).fit(X, y, times=times)
    assert model.score(X, y, times=times) > 0.75
    one = SequenceData(X, times=times)[0:1]
    assert len(model.inspect(one).steps) == len(X[0])
    assert model.gradient_flow(one, y[0]).layers
    labels = [np.cumsum(np.isnan(x[:, 1])) % 2 for x in X]
    tagger = SequenceTagger(**{**SHORT, "cell": name}).fit(X, labels, times=times)
    tagger.save(tmp_path / "m.safetensors")
    again, pieces, state = SequenceTagger.load(tmp_path / "m.safetensors"), [], None
    for at in range(len(X[0])):
        given, state = again.predict_next(X[0][at : at + 1], state, times=times[0][at : at + 1])
        pieces.append(given)
    assert np.array_equal(np.concatenate(pieces), tagger.predict(X[:1], times=times[:1])[0])
