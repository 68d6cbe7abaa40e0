"""Tables as sequences: a column goes by its name, wherever it stands; and single examples where a list is wanted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.errors import DataError, FileFormatError, InputError
from loopcell.tasks import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.tasks.core.inputs import ArrayInput
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, waves

__all__ = ["one_thread"]

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

KINDS = [pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.table]
SHORT = QUICK | {"hidden_size": 6, "epochs": 3}


def tables(kind, columns=("low", "high"), more=()):
    X, y = waves(40)
    place = {"low": 0, "high": 1}
    extra = {name: ["text"] for name in more}
    found = []
    for x in X:
        numbers = {name: 1e7 + x[:, place[name]].astype(float) for name in columns}
        found.append(kind(numbers | {name: value * len(x) for name, value in extra.items()}))
    return found, y


@pytest.mark.parametrize("kind", KINDS)
def test_columns_in_another_order_and_among_others(kind, tmp_path):
    X, y = tables(kind)
    model = SequenceClassifier(**SHORT).fit(X, y)
    arrays = [1e7 + x.astype(float) for x in waves(40)[0]]
    told = model.predict_proba(X)
    assert np.array_equal(told, SequenceClassifier(**SHORT).fit(arrays, y).predict_proba(arrays))
    model.save(tmp_path / "m.safetensors")
    for one in (model, SequenceClassifier.load(tmp_path / "m.safetensors")):
        assert np.array_equal(one.predict_proba(tables(kind, ("high", "low"))[0]), told)
        assert np.array_equal(one.predict_proba(tables(polars.DataFrame, ("high", "low"), ["id"])[0]), told)
        assert np.array_equal(one.predict_proba(arrays), told)  # without names, as in training
        with pytest.raises(DataError, match=r"^X\[0\] has no column 'high', which the model was trained with"):
            one.predict(tables(kind, ("low",))[0])


def test_columns_of_one_training_set_are_the_same():
    X, y = tables(pandas.DataFrame)
    y = [0, 1] * 20
    model = SequenceTagger(**SHORT).fit([X[0], X[1][["high", "low"]]], labels(X[:2]))
    assert model.input_.columns == ["low", "high"]
    with pytest.raises(DataError, match=r"^X\[1\] has no column 'low'"):
        SequenceClassifier(**SHORT, validation_fraction=0).fit([X[0], X[1][["high"]]], y[:2])
    with pytest.raises(DataError, match=r"^X\[1\] has a column 'id', and X\[0\] has none of that name$"):
        SequenceClassifier(**SHORT, validation_fraction=0).fit([X[0], X[1].assign(id=1)], y[:2])
    with pytest.raises(DataError, match=r"^X\[0\], column 'low', has dates"):
        SequenceClassifier(**SHORT, validation_fraction=0).fit(
            [one.assign(low=pandas.to_datetime("2024-01-01")) for one in X], y
        )


def labels(X):
    return [[step % 2 for step in range(len(x))] for x in X]


def test_names_that_are_no_texts_and_twice():
    X = [pandas.DataFrame(x.astype(float), columns=[7, ("a", 1)]) for x in waves(20)[0]]
    model = SequenceClassifier(**SHORT).fit(X, waves(20)[1])
    assert model.input_.columns == ["7", "('a', 1)"]
    swapped = [one[one.columns[::-1]] for one in X]
    assert np.array_equal(model.predict_proba(swapped), model.predict_proba(X))
    twice = [pandas.DataFrame(x.astype(float), columns=["a", "a"]) for x in waves(20)[0]]
    with pytest.raises(DataError, match=r"^X\[0\] has two columns 'a'; give every column its own name$"):
        SequenceClassifier(**SHORT, validation_fraction=0).fit(twice, waves(20)[1])


def test_an_empty_table_is_an_empty_sequence():
    X, y = tables(pandas.DataFrame)
    model = SequenceClassifier(**SHORT).fit(X, y)
    assert len(model.predict([X[0].iloc[:0], X[1]])) == 2


@pytest.mark.parametrize("stored", [{"columns": ["a"]}, {"columns": ["a", "a"]}, {"columns": "ab"}, {"axes": 3}])
def test_columns_of_a_file_that_are_none(stored):
    with pytest.raises((ValueError, FileFormatError)):
        ArrayInput.from_json({"input_size": 2, **stored})


# --- one example where a list is wanted ------------------------------------------------------------------------------


def fitted(X):
    return SequenceRegressor(**SHORT | {"epochs": 1}).fit(X, np.arange(float(len(X))))


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, np.ndarray.tolist])
@pytest.mark.parametrize("size", [2, 3])
def test_a_single_array(size, convert):
    X = np.random.default_rng(0).normal(size=(10, 5, size))
    with pytest.raises(DataError, match=r"^X\[0\] has 1 numbers a step, and .* of a single one, x, give "):
        fitted(X).predict(convert(X[0]))


def test_a_single_array_of_single_numbers():
    X = np.random.default_rng(0).normal(size=(10, 5, 1))
    with pytest.raises(DataError, match=r"^X is an array \[5, 1\], and training had sequences \[T, 1\]: "):
        fitted(X).predict(X[0])
    assert len(fitted(X).predict(X[:, :1])) == 10
    with pytest.raises(DataError, match=r"^X\[0\] is a single number, and a sequence \[T, I\] was expected; "):
        fitted(X[:, :, 0]).predict(X[0, :, 0])
    assert len(fitted(X[:, :, 0]).predict(X[:, :1, 0])) == 10  # sequences [T] of one step


def test_a_single_list_of_tokens_text_and_table():
    X = [["a", "b"], ["b"]] * 5
    with pytest.raises(DataError, match=r"not a str; X is a list of lists: of a single one, x, give \[x\]$"):
        fitted(X).predict(X[0])
    with pytest.raises(InputError, match=r"not a str; of a single one give \[x\]$"):
        fitted(["ab", "b"] * 5).predict("ab")
    with pytest.raises(InputError, match=r"^X is a table; give one column of it, such as table\['text'\], a list"):
        fitted(tables(pandas.DataFrame)[0]).predict(tables(pandas.DataFrame)[0][0])


def test_a_whole_set_with_only_an_array_in_it():
    class Only:
        def __array__(self, dtype=None, copy=None):
            return np.random.default_rng(0).normal(size=(10, 5, 2))

    model = fitted(np.asarray(Only()))
    assert np.array_equal(model.predict(Only()), model.predict(np.asarray(Only())))
    with pytest.raises(InputError, match=r"^X is a sparse matrix; give it as an array"):
        model.predict(pytest.importorskip("scipy.sparse").eye(3))
