"""Windows against slices cut by hand, and the calendar against dates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.data import Windows, calendar, series_from
from loopcell.errors import DataError, InputError, UsageError


def make(lengths: list[int]):
    found = []
    for number, length in enumerate(lengths):
        values = 1000 * number + np.arange(length, dtype=float)
        data = {"y": values, "k": values + 0.25, "p": values + 0.5}
        found += series_from(data, target="y", known=["k"], past=["p"])
    return found


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    history=st.integers(1, 6),
    horizon=st.integers(1, 6),
    stride=st.integers(1, 4),
    first=st.integers(-20, 20) | st.none(),
    last=st.integers(-20, 20) | st.none(),
)
def test_windows_are_slices(lengths, history, horizon, stride, first, last):
    series = make(lengths)
    expected = []
    for number, one in enumerate(series):
        steps = range(len(one))[first:last]  # the steps that may be forecast
        allowed = [now for now in steps if now >= history and now + horizon - 1 in steps]
        expected += [(number, now) for now in allowed[::stride]]
    span = slice(first, last)
    if not expected:
        with pytest.raises(DataError, match="there is no window: a history of"):
            Windows(series, history=history, horizon=horizon, stride=stride, span=span)
        return
    windows = Windows(series, history=history, horizon=horizon, stride=stride, span=span)
    assert [(window.series, window.now) for window in windows] == expected
    assert len(windows) == len(expected)
    assert windows[-1].now == expected[-1][1]
    for window in windows:
        values, now = series[window.series].target[:, 0], window.now
        assert window.target[:, 0].tolist() == values[now - history : now].tolist()
        assert window.future[:, 0].tolist() == values[now : now + horizon].tolist()
        assert window.known[:, 0].tolist() == (values[now - history : now + horizon] + 0.25).tolist()
        assert window.past[:, 0].tolist() == (values[now - history : now] + 0.5).tolist()
    found = {number for number, _ in expected}
    assert len(windows.too_short) == len(series) - len(found)


def test_a_batch_has_time_first():
    windows = Windows(make([20]), history=3, horizon=2)
    batch = windows.batch([0, 5, 1])
    assert [tuple(part.shape) for part in batch] == [(3, 3, 1), (3, 3, 1), (5, 3, 1), (2, 3, 1)]
    assert batch.target.dtype == torch.float32
    assert batch.target[:, 1, 0].tolist() == [5, 6, 7]
    assert batch.future[:, 1, 0].tolist() == [8, 9]
    assert [window.now for window in windows[1:3]] == [4, 5]
    with pytest.raises(IndexError):
        windows[len(windows)]


def test_a_history_and_horizon_that_do_not_fit():
    with pytest.raises(DataError) as caught:
        Windows(make([10, 7]), history=8, horizon=3)
    assert str(caught.value) == (
        "there is no window: a history of 8 and a horizon of 3 need 11 steps, and the longest series has 10"
    )
    with pytest.raises(DataError, match=r"\(steps 8: are asked for\)$"):
        Windows(make([10]), history=2, horizon=3, span=slice(8, None))
    with pytest.raises(UsageError, match="are at least 1, got 0, 1 and 1"):
        Windows(make([10]), history=0, horizon=1)


def test_the_calendar():
    times = np.array(["1970-01-01", "2024-01-01", "2024-01-01T06", "2024-01-02T12", "2024-01-07"], "datetime64[us]")
    found = calendar(times)
    angles = np.arctan2(found[:, ::2], found[:, 1::2]) / (2 * np.pi) % 1
    np.testing.assert_allclose((angles[:, 0] + 0.1) % 1 - 0.1, [0, 0, 0.25, 0.5, 0], atol=1e-9)
    weekday = [3, 0, 0.25, 1.5, 6]  # Thursday, Monday, Monday at 6, Tuesday at noon, Sunday
    np.testing.assert_allclose((angles[:, 1] + 0.1) % 1 - 0.1, np.array(weekday) / 7, atol=1e-9)
    assert calendar(times, ("day",)).shape == (5, 2)
    with pytest.raises(InputError, match="calendar takes time stamps"):
        calendar(np.arange(3))
    with pytest.raises(InputError, match="cycles of day, week, year"):
        calendar(times, ("month",))


def test_values_far_from_zero_are_there_to_be_scaled():
    values = 1e9 + np.arange(20.0)
    windows = Windows(series_from(values), history=3, horizon=1)
    assert windows.batch([0], dtype=torch.float64).target[:, 0, 0].tolist() == values[:3].tolist()
    assert windows.batch([0]).target.dtype == torch.float32
