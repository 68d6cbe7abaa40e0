"""Sequences with what stands beside them: by number, by slice, as scikit-learn splits them; times in every form."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import KFold
from sklearn.utils import _safe_indexing

from loopcell.data import SequenceData
from loopcell.errors import DataError, InputError

X = [np.full((3, 1), float(number)) for number in range(5)]
STATIC = pd.DataFrame({"age": [1.0, 2, 3, 4, 5], "kind": list("abaab")}, index=range(10, 15))
TIMES = [np.arange(3) + number for number in range(5)]


def test_an_index_gives_a_sequence_and_rows_give_the_same_of_some():
    data = SequenceData(X, static=STATIC, times=TIMES)
    assert data[2] is X[2]
    for rows in ([4, 0], np.array([4, 0]), (np.array([4, 0]), ...)):
        some = data[rows]
        assert [one[0, 0] for one in some] == [4, 0]
        assert some.static.tolist() == [[5.0, "b"], [1.0, "a"]]
        assert some.static_names == ("age", "kind")
        assert some.times_of(0, 3).tolist() == [4, 5, 6]
    assert len(data[1:3]) == 2
    assert len(data[np.array([True, False, True, False, False])]) == 2


def test_scikit_learn_splits_it():
    data = SequenceData(X, static=STATIC)
    for training, rest in KFold(2).split(data):
        assert _safe_indexing(data, rest).static.tolist() == STATIC.to_numpy()[rest].tolist()
        assert len(_safe_indexing(data, training)) == len(training)


@pytest.mark.parametrize(
    ("static", "expected"),
    [
        (STATIC, object),
        (pl.DataFrame({"a": [1, 2, 3, 4, 5], "b": [0.5] * 5}), float),
        (np.arange(10).reshape(5, 2), float),
        ([1, 2, 3, 4, 5], float),
        (list("abcde"), object),
        ([[1, "a"], [2, None], [None, "b"], [1, "c"], [3, "d"]], object),
        (pd.Series(list("abcde"), index=range(5, 10)), object),
    ],
)
def test_static_values_in_every_form(static, expected):
    found = SequenceData(X, static=static).static
    assert found.dtype == expected
    assert found.shape == (5, 1 if np.ndim(static) == 1 else 2)


SECOND = datetime(2024, 5, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0.5, 3], [0, 0.5, 3]),
        (np.array(["2024-05-01", "2024-05-02", "2024-05-04"], "M8[D]"), [0, 86400, 3 * 86400]),
        (pd.date_range("2024-05-01", periods=3, freq="h"), [0, 3600, 7200]),
        (pd.date_range("2024-05-01 09:00", periods=3, freq="h", tz="Asia/Seoul"), [0, 3600, 7200]),
        (["2024-05-01T00:00", "2024-05-01T01:00", "2024-05-01T01:00:30"], [0, 3600, 3630]),
        ([date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)], [0, 86400, 2 * 86400]),
        ([datetime(2024, 5, 1), datetime(2024, 5, 1, 1), datetime(2024, 5, 1, 2)], [0, 3600, 7200]),
    ],
)
def test_times_in_every_form(times, expected):
    found = SequenceData(X[:1], times=[times]).times_of(0, 3)
    np.testing.assert_allclose(found - (SECOND if found[0] > 1e6 else 0), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        ([0, 2, 1], "the times of X[0] go back at step 3; sort the steps of a sequence by time"),
        ([0, 2], "the times of X[0] have the shape [2], and the sequence has 3 steps"),
        ([0, np.nan, 1], "the times of X[0] have none at step 2"),
        (np.array(["2024", "NaT", "2025"], "M8[D]"), "the times of X[0] have none at step 2"),
        (["1.5.2024"] * 3, "the times of X[0] cannot be read: "),
    ],
)
def test_times_that_are_none(times, complaint):
    with pytest.raises(DataError) as caught:
        SequenceData(X[:1], times=[times]).times_of(0, 3)
    assert str(caught.value).startswith(complaint)


def test_there_is_an_entry_for_each_sequence():
    with pytest.raises(DataError, match="static has 4 entries, and X has 5 sequences"):
        SequenceData(X, static=[1] * 4)
    with pytest.raises(DataError, match="times has 1 entries, and X has 5 sequences"):
        SequenceData(X, times=TIMES[:1])
    with pytest.raises(DataError, match="static has rows of 1 and of 2 values"):
        SequenceData(X, static=[[1]] * 4 + [[1, 2]])
    with pytest.raises(DataError, match=r"static has the shape \[5, 2, 2\]"):
        SequenceData(X, static=np.zeros((5, 2, 2)))
    with pytest.raises(InputError, match="X is a SequenceData already"):
        SequenceData(SequenceData(X), static=[1] * 5)
