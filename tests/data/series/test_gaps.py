"""Rows that are missing among regular times are there without values, at the places where pandas puts them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.data.series import Layout, read_layout
from loopcell.errors import DataError

LAYOUT = Layout(target="y", time="t", known=("k",), missing=True, fill_gaps=True)


def read(times, **more):
    table = {"t": times, "y": np.arange(len(times), dtype=float), "k": np.ones(len(times))}
    return read_layout(table, LAYOUT if not more else Layout(**{**LAYOUT.__dict__, **more}))[0]


def without(times, *places):
    return times.delete(list(places))


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-01-01", periods=100, freq="h"),
        pd.date_range("2024-01-01", periods=100, freq="15min"),
        pd.date_range("2024-01-01", periods=60, freq="D"),
        pd.date_range("2020-01-31", periods=48, freq="ME"),
        pd.date_range("2020-01-01", periods=48, freq="MS"),
        pd.bdate_range("2024-01-01", periods=80),
    ],
)
def test_times_are_those_of_pandas(times):
    given = without(times, 7, 20, 21, 22)
    found = read(given.to_numpy())
    assert found.times.tolist() == times.to_numpy().astype("datetime64[us]").tolist()
    expected = pd.Series(np.arange(len(given), dtype=float), given).reindex(times).to_numpy()
    assert np.array_equal(found.target[:, 0], expected, equal_nan=True)
    assert np.array_equal(np.isnan(found.known[:, 0]), np.isnan(expected))
    assert found.future_times(1)[0] == np.datetime64(times[-1] + times.freq, "us")
    assert any(note.startswith(f"4 rows are missing among {len(times)} times every") for note in found.notes)


def test_without_a_gap_nothing_changes():
    times = pd.date_range("2024-01-01", periods=50, freq="h").to_numpy()
    found = read(times)
    assert len(found) == 50
    assert not found.notes


def test_numbers_may_have_gaps_too():
    found = read(np.array([0, 1, 2, 3, 7, 8, 9]))
    assert found.times.tolist() == list(range(10))
    assert np.isnan(found.target[:, 0]).tolist() == [False] * 4 + [True] * 3 + [False] * 3


def test_rows_that_are_missing_stay_those_of_their_series():
    hours = pd.date_range("2024-01-01", periods=30, freq="h")
    table = pd.concat(
        [
            pd.DataFrame({"t": without(hours, 5), "s": "a", "y": 1.0, "k": 0.0}),
            pd.DataFrame({"t": hours, "s": "b", "y": 2.0, "k": 0.0}),
        ]
    )
    a, b = read_layout(table, Layout(**{**LAYOUT.__dict__, "series": "s"}))
    assert np.flatnonzero(np.isnan(a.target[:, 0])).tolist() == [5]
    assert not np.isnan(b.target).any()


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (np.array([0, 1, 2, 3, 4.5, 5, 6]), r"a gap: between 3 and 4.5 .* such places. Fill them, or say"),
        (np.array([0, 1, 2, 3, 10**9]), "a gap: between 3 and 1000000000"),  # not a table of a thousand million rows
        (np.array([0, 1, 2, 2, 3]), "the time 2 is there twice"),
        (np.array([0, 1, 3, 2, 4]), "the time goes back, from 3 to 2"),
    ],
)
def test_what_is_no_gap_is_refused(times, complaint):
    with pytest.raises(DataError, match=complaint):
        read(times)
