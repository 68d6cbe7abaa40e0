"""What a network reads in the place of missing values, beside plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st

from loopcell.tasks.core.inputs.cell_inputs import inputs_asked
from loopcell.tasks.forecasting.asked import Steps
from loopcell.tasks.forecasting.baselines import naive_error, seasonal_naive
from loopcell.tasks.forecasting.encoding import ColumnEncoder
from loopcell.tasks.forecasting.errors import UsualErrors
from loopcell.tasks.forecasting.holes import NewestValues, begun, carried_on, told, windows_of
from loopcell.tasks.forecasting.missing import last_there

numbers = st.lists(st.one_of(st.none(), st.floats(-9, 9, width=32)), min_size=1, max_size=24)


def column(values):
    return torch.tensor([np.nan if value is None else value for value in values], dtype=torch.float32)[:, None, None]


def in_a_loop(values, passed):
    """Return the newest value and its age at each step, one after the other; before the first one is the first."""
    newest, age = (0.0, np.inf) if np.isnan(values[0]) else (values[0], 0.0)
    found = []
    for value, time in zip(values, passed, strict=True):
        newest, age = (newest, age + time) if np.isnan(value) else (value, 0.0)
        found.append((newest, age))
    return np.array(found)


@settings(deadline=None)
@given(numbers, st.integers(1, 5), st.integers(0, 24), st.booleans())
def test_values_and_ages_are_carried_on(values, lags, cut, even):
    series = column(values)
    passed = torch.ones(len(values), 1) if even else torch.linspace(0.5, 2, len(values))[:, None]
    expected = in_a_loop(series[:, 0, 0].numpy(), passed[:, 0].numpy())
    first = carried_on(begun(series[0], lags), series[:cut], passed[:cut]) if cut else begun(series[0], lags)
    kept = NewestValues(first.values[-lags:], first.last_ages(lags))
    second = carried_on(kept, series[cut:], None if even else passed[cut:]) if cut < len(values) else None
    for part, rows in ((first, expected[:cut]), (second, expected[cut:])):
        if part is not None:
            ages = torch.zeros_like(part.values) if part.ages is None else part.ages
            assert part.values[lags:, 0, 0].numpy() == pytest.approx(rows[:, 0])
            assert ages[lags:, 0, 0].numpy() == pytest.approx(rows[:, 1], rel=1e-5)


@settings(deadline=None)
@given(numbers, st.integers(1, 8))
def test_windows_are_filled_as_pandas_fills_them_and_know_nothing_of_later(values, lags):
    series = column(values)
    seen = carried_on(begun(series[0], lags), series, None)
    for how in ("mask", "ffill", "interpolate"):
        windows, _ = windows_of(seen, lags, how)
        for step in range(lags - 1, len(values)):
            past = pd.Series(series[: step + 1, 0, 0].numpy())
            window = past[step + 1 - lags :]
            newest = past.ffill().iloc[-1]
            newest = 0.0 if np.isnan(newest) else newest
            if how == "mask":
                expected = window.fillna(newest)
            elif how == "ffill":
                expected = past.ffill().fillna(newest)[step + 1 - lags :]
            else:  # straight lines within the window, whose left end is what was known of its first step
                whole = past.copy()
                expected = whole.interpolate(limit_area="inside").ffill().bfill().fillna(newest)[step + 1 - lags :]
            assert windows[step, 0, 0].numpy() == pytest.approx(expected.to_numpy(), abs=1e-4)


@settings(deadline=None)
@given(numbers, st.integers(1, 8), st.integers(0, 24), st.integers(0, 99))
def test_straight_lines_are_in_time_and_go_on_from_a_state(values, lags, cut, seed):
    series, passed = column(values), np.random.default_rng(seed).choice([0.5, 1, 9], len(values))
    series[0] = 1.0
    cut = min(max(cut, 1), len(values))
    apart = torch.tensor(passed, dtype=torch.float32)[:, None]
    first = carried_on(begun(series[0], lags), series[:cut], apart[:cut])
    kept = NewestValues(first.values[-lags:], first.last_ages(lags), first.last_passed(lags))
    windows = [windows_of(first, lags, "interpolate")[0]]
    if cut < len(values):
        windows.append(windows_of(carried_on(kept, series[cut:], apart[cut:]), lags, "interpolate")[0])
    found = torch.cat(windows)[:, 0, 0].numpy()
    times, numbers_there = np.cumsum(passed), series[:, 0, 0].numpy()
    for step in range(lags - 1, len(values)):
        there = np.flatnonzero(~np.isnan(numbers_there[: step + 1]))
        expected = np.interp(times[: step + 1], times[there], numbers_there[there])[step + 1 - lags :]
        assert found[step] == pytest.approx(expected, abs=1e-3)


def test_a_straight_line_over_uneven_times_by_hand():
    seen = carried_on(begun(column([0.0])[0], 3), column([0.0, None, 10.0]), torch.tensor([[1.0], [1.0], [9.0]]))
    assert windows_of(seen, 3, "interpolate")[0][-1, 0, 0].tolist() == pytest.approx([0, 1, 10])  # at times 0, 1, 10


def test_what_a_network_is_told():
    ages = torch.tensor([[0.0, 1.0, 2.0]])
    assert told(ages, torch.zeros(1, 3)).tolist() == [[1, 0, 0, pytest.approx(np.log(3))]]
    assert told(None, torch.zeros(1, 3)).tolist() == [[1, 1, 1, 0]]
    assert torch.isfinite(told(torch.full((1, 3), torch.inf), torch.zeros(1, 3))).all()


def test_the_further_inputs_of_cells():
    assert inputs_asked("gru") == {}
    assert inputs_asked("gru_d") == {"mask": True, "dt": True}
    assert inputs_asked("gru_decay") == {"dt": False}
    series = column([1.0, None, None, 4.0, 5.0])
    seen = carried_on(begun(series[0], 2), series, None)
    steps = Steps(seen, 2, torch.ones(5, 1), columns=1, told=0, width=4)
    there = steps.by_input(steps.there(), torch.ones(5, 1))
    assert there[:, 0].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    since = steps.by_input(steps.since(), torch.ones(5, 1))
    # Of the value before (lag 1) and of the newest, twice: how long ago either was observed before this step.
    assert since[:, 0].tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 2, 2, 1], [2, 3, 3, 1], [3, 1, 1, 1]]
    assert steps.by_row(steps.since())[:, 0].tolist() == [1, 1, 2, 3, 1]


# --- in numpy ------------------------------------------------------------------------------------------------------


@given(numbers, st.integers(1, 5))
def test_the_last_value_of_a_season(values, season):
    series = pd.Series([np.nan if value is None else value for value in values], dtype=float)
    expected = series.groupby(np.arange(len(series)) % season).ffill()
    assert np.array_equal(last_there(series.to_numpy()[:, None], season)[:, 0], expected, equal_nan=True)


def test_baselines_of_series_with_holes():
    target = np.array([1.0, 2.0, np.nan, 4.0, 5.0, np.nan])[:, None]
    assert seasonal_naive(target, np.array([6]), 3, 3)[0, :, 0].tolist() == [4, 5, 5]  # the third was never there
    late = np.array([np.nan, np.nan, 7.0, 8.0])[:, None]
    for season in (1, 2):  # before the first value nobody knows it
        assert np.isnan(seasonal_naive(late, np.array([2]), 2, season)).all()
    assert seasonal_naive(late, np.array([3]), 2, 2)[0, :, 0].tolist() == [7, 7]
    assert naive_error(target, 3).tolist() == [3.0]
    assert np.isnan(naive_error(np.full((5, 1), np.nan), 1)).all()


# --- categories ----------------------------------------------------------------------------------------------------


def test_an_unknown_category_is_the_mean_of_all_until_training_says_more():
    torch.manual_seed(0)
    encoder = ColumnEncoder(3, {1: 4})
    found = encoder(torch.tensor([[0.5, code, -1.0] for code in range(5)]))
    assert found.shape == (5, encoder.width)
    assert found[:, :2].tolist() == [[0.5, -1.0]] * 5
    assert torch.allclose(found[0, 2:], found[1:, 2:].mean(0))
    assert len(found[1:, 2:].unique(dim=0)) == 4


# --- anomalies -----------------------------------------------------------------------------------------------------


def test_the_distance_of_some_errors_is_that_of_a_model_of_these_alone():
    drawn = np.random.default_rng(0)
    errors = drawn.multivariate_normal([1.0, -2.0, 0.5], [[2, 1, 0], [1, 3, 1], [0, 1, 1]], 20_000)
    whole, part = UsualErrors(3), UsualErrors(2)
    whole.learn([errors], 0.01)
    part.learn([errors[:, [0, 2]]], 0.01)
    holes = errors[:50].copy()
    holes[:, 1] = np.nan
    holes[0] = np.nan
    found = whole.distance(holes)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx(part.distance(errors[1:50, [0, 2]]), rel=0.02)


def test_usual_errors_are_those_that_are_there():
    drawn = np.random.default_rng(0)
    errors = drawn.normal([1.0, -2.0], [2.0, 0.5], (20_000, 2))
    holes = np.where(drawn.random(errors.shape) < 0.3, np.nan, errors)
    found = UsualErrors(2)
    found.learn([holes], 0.01)
    spread = np.linalg.inv(found.whiten.double().numpy())
    assert found.mean.tolist() == pytest.approx([1, -2], abs=0.05)
    assert np.sqrt(np.diag(spread @ spread.T)) == pytest.approx([2, 0.5], rel=0.03)
    assert (found.distance(holes) > float(found.threshold)).mean() == pytest.approx(0.01, abs=0.001)
