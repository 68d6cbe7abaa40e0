"""Gaps in times whose step is known from training: an error as in training, or rows without values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.data.series import Layout, read_layout
from loopcell.data.series.gaps import filled_between
from loopcell.errors import DataError

KINDS = {
    "hours": pd.date_range("2024-01-01", periods=100, freq="h"),
    "minutes": pd.date_range("2024-01-01", periods=100, freq="15min"),
    "days": pd.date_range("2024-01-01", periods=60, freq="D"),
    "ends of months": pd.date_range("2020-01-31", periods=48, freq="ME"),
    "begins of months": pd.date_range("2020-01-01", periods=48, freq="MS"),
    "quarters": pd.date_range("2015-01-01", periods=40, freq="QS"),
    "business days": pd.bdate_range("2024-01-01", periods=80),
    "days in a zone": pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin"),
    "hours in a zone": pd.date_range("2024-03-25", periods=240, freq="h", tz="Europe/Berlin"),
    "nanoseconds": pd.date_range("2024-01-01", periods=60, freq="1500ns"),
    "whole numbers": np.arange(50),
    "numbers": np.arange(50) * 0.25,
    "jitter": pd.date_range("2024-01-01", periods=60, freq="h")
    + pd.to_timedelta(np.random.default_rng(0).integers(-90, 90, 60), "s"),
}


def cells(times):
    return list(times) if getattr(times, "tz", None) else np.asarray(times)


def read(times, like=None, **more):
    table = {"t": cells(times), "y": np.arange(len(times), dtype=float)}
    layout = Layout(target="y", time="t", missing=True, like=lambda _: like, **more)
    return read_layout(table, layout)[0]


def without(times, *places):
    return times[np.setdiff1d(np.arange(len(times)), places)]


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_a_gap_is_an_error_where_the_step_is_known_too(times):
    step = read(times).step
    for gap in ((20,), (12, 13, 14), tuple(range(15, 30))):
        with pytest.raises(DataError, match=rf"row {gap[0] + 1}: a gap: .* {len(gap)} times? (is|are) missing"):
            read(without(times, *gap), step)


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_gaps_are_filled_as_if_rows_without_values_were_there(times):
    whole = read(times)
    for places in ((20,), (12, 13, 14), (3, 9, 10, 25)):
        found = read(without(times, *places), whole.step, fill_gaps=True)
        assert np.flatnonzero(np.isnan(found.target[:, 0])).tolist() == list(places)
        assert len(found) == len(whole)
        there = ~np.isnan(found.target[:, 0])
        assert (found.times[there] == whole.times[there]).all()
        assert found.step == whole.step
        assert any("missing among" in note for note in found.notes)
        if not whole.step.jitters:
            assert (found.times == whole.times).all()


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_few_times_are_filled_by_the_known_step(times):
    whole = read(times)
    for part in ((30, 33), (30, 32, 34), (30, 31, 33, 36)):
        found = read(times[list(part)], whole.step, fill_gaps=True)
        assert len(found) == part[-1] - 30 + 1
        assert (found.times[np.array(part) - 30] == whole.times[list(part)]).all()
        assert found.step == whole.step


def test_a_table_of_another_step_is_not_full_of_gaps():
    hours = read(KINDS["hours"]).step
    assert str(read(pd.date_range("2024-01-01", periods=30, freq="D"), hours, fill_gaps=True).step) == "1 day"
    days = read(KINDS["days"])
    found = read(pd.bdate_range("2024-01-01", periods=30), days.step, fill_gaps=True)
    assert found.step == days.step
    assert np.isnan(found.target).sum() == 10  # five weekends


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_rows_between_two_parts(times):
    whole = read(times)
    found = filled_between(whole.times[19], whole.times[24:], whole.step, whole.zone)
    assert len(found.times) == len(whole) - 20
    assert found.places.tolist() == list(range(4, len(whole) - 20))
    assert filled_between(whole.times[19], whole.times[20:], whole.step, whole.zone) is None
