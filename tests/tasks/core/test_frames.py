"""Frames in, frames out; and what is known of the columns of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loopcell import Seq2Seq, SequenceClassifier, SequenceRegressor, SequenceTagger, WordVectors
from loopcell.errors import DataError, FileFormatError, InputError
from tests.tasks.conftest import one_thread
from tests.tasks.core.estimator.test_files import changed
from tests.tasks.small import QUICK, parities, put, reversals, words

__all__ = ["one_thread"]

SHORT = {**QUICK, "epochs": 1}
ROWS = np.random.default_rng(0).normal(size=(40, 3))
NAMES = ["morning", "noon", "night"]
LABELS = np.where(ROWS.sum(1) > 0, "high", "low")


def test_a_series_of_pandas_gives_series_and_frames_with_its_index():
    X, y = words(40)
    series = pd.Series(X, index=[f"row {at}" for at in range(40)])[10:]
    model = SequenceClassifier(**SHORT).fit(series, pd.Series(y)[10:])
    plain = SequenceClassifier(**SHORT).fit(X[10:], y[10:])
    told = model.predict(series)
    assert isinstance(told, pd.Series)
    assert told.index.equals(series.index)
    assert (told.to_numpy() == plain.predict(X[10:])).all()
    odds = model.predict_proba(series)
    assert isinstance(odds, pd.DataFrame)
    assert odds.index.equals(series.index)
    assert list(odds.columns) == list(model.classes_) == ["other", "same"]
    assert (odds.to_numpy() == plain.predict_proba(X[10:])).all()
    assert list(model.predict_records(series)) == list(plain.predict_records(X[10:]))
    assert model.score(series, pd.Series(y)[10:]) == plain.score(X[10:], y[10:])
    assert isinstance(model.predict(X), np.ndarray)


def test_a_series_of_polars_gives_series_and_frames():
    X, y = words(40)
    model = SequenceClassifier(**SHORT).fit(pl.Series(X), pl.Series(y))
    told, odds = model.predict(pl.Series(X)), model.predict_proba(pl.Series(X))
    assert isinstance(told, pl.Series)
    assert told.to_list() == model.predict(X).tolist()
    assert odds.columns == ["other", "same"]
    assert (odds.to_numpy() == model.predict_proba(X)).all()


def test_labels_of_steps_texts_and_several_numbers():
    index = range(100, 130)
    X, y = parities(30)
    tags = SequenceTagger(**SHORT).fit(X, y).predict(pd.Series(X, index=index))
    assert list(tags.index) == list(index)
    assert len(tags[105]) == len(X[5])
    X, y = reversals(30)
    texts = Seq2Seq(**SHORT, beam=1).fit(X, y).predict(pd.Series(X, index=index))
    assert all(isinstance(text, str) for text in texts)
    frame = pd.DataFrame(ROWS, columns=NAMES, index=range(40))
    both = SequenceRegressor(**SHORT).fit(frame, pd.DataFrame({"one": ROWS[:, 0], "other": ROWS[:, 1]}))
    assert both.predict(frame).shape == (40, 2)
    sets = SequenceClassifier(**SHORT).fit(words(30)[0], [["a"], ["b", "a"]] * 15)
    assert set(sets.predict(pd.Series(words(30)[0]))) <= {(), ("a",), ("b",), ("a", "b")}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_the_rows_of_a_frame_of_numbers_are_sequences(make):
    frame = make(dict(zip(NAMES, ROWS.T, strict=True)))
    model = SequenceClassifier(**SHORT).fit(frame, LABELS)
    plain = SequenceClassifier(**SHORT).fit(ROWS, LABELS)
    assert model.n_features_in_ == plain.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == NAMES
    assert not hasattr(plain, "feature_names_in_")
    assert (np.asarray(model.predict_proba(frame)) == plain.predict_proba(ROWS)).all()
    assert model.score(frame, LABELS) == plain.score(ROWS, LABELS)
    assert [len(part) for part, _ in model.parts(frame, LABELS)] == [36, 4]
    for call in (model.predict, lambda X: model.score(X, LABELS), lambda X: model.evaluate(X, LABELS)):
        with pytest.raises(DataError, match="Feature names must be in the same order as they were in fit"):
            call(frame[NAMES[::-1]])
    with pytest.raises(DataError, match=r"Feature names unseen at fit time:\n- dawn"):
        model.predict(make({"dawn": ROWS[:, 0], "noon": ROWS[:, 1], "night": ROWS[:, 2]}))


def test_what_is_no_table_has_no_number_of_columns():
    X, y = words(40)
    model = SequenceClassifier(**SHORT).fit(ROWS, LABELS)
    assert model.predict(ROWS[:, :2]).shape == (40,)  # sequences may have any length
    model.fit(X, y)
    assert not hasattr(model, "n_features_in_")
    for given in (list(ROWS), ROWS.tolist(), ROWS[:, :, None]):
        assert not hasattr(SequenceRegressor(**SHORT).fit(given, ROWS[:, 0]), "n_features_in_")
    with pytest.raises(InputError, match=r"^X is a table; give one column of it"):
        model.fit(pd.DataFrame({"text": X, "more": X}), y)
    with pytest.raises(DataError, match=r"0 feature\(s\) \(shape=\(40, 0\)\) while a minimum of 1 is required"):
        model.fit(ROWS[:, :0], LABELS)


def test_a_file_keeps_the_columns(tmp_path):
    frame = pd.DataFrame(ROWS, columns=NAMES)
    model = SequenceRegressor(**SHORT).fit(frame, ROWS[:, 0])
    model.save(tmp_path / "m.safetensors")
    again = SequenceRegressor.load(tmp_path / "m.safetensors")
    assert (again.n_features_in_, again.feature_names_in_.tolist()) == (3, NAMES)
    assert again.predict(frame).equals(model.predict(frame))
    assert again.predict(frame).index.equals(frame.index)


@pytest.mark.parametrize(
    "damage",
    [
        put("features_in", value=[]),
        put("features_in", "count", value=0),
        put("features_in", "count", value=True),
        put("features_in", "names", value=["morning"]),
        put("features_in", "names", value=[1, 2, 3]),
        put("seed", value=-1),
        put("seed", value="1"),
    ],
)
def test_what_no_model_keeps_of_its_training_is_refused(damage, tmp_path):
    SequenceRegressor(**SHORT).fit(pd.DataFrame(ROWS, columns=NAMES), ROWS[:, 0]).save(tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError, match=r"m\.safetensors is damaged: "):
        SequenceRegressor.load(changed(tmp_path / "m.safetensors", damage))


def test_word_vectors_as_a_frame():
    texts = pd.Series(["one two one two", "two one"] * 5, index=range(10, 20))
    vectors = WordVectors(vector_size=4, min_count=1, epochs=1, random_state=1).fit(texts)
    assert vectors.get_feature_names_out().tolist() == [f"wordvectors{at}" for at in range(4)]
    assert isinstance(vectors.transform(texts), np.ndarray)
    frame = vectors.set_output(transform="pandas").transform(texts)
    assert list(frame.columns) == vectors.get_feature_names_out().tolist()
    assert frame.index.equals(texts.index)
    assert (frame.to_numpy() == vectors.set_output(transform="default").transform(texts)).all()
