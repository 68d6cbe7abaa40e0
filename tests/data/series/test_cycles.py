"""The calendar against dates."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.data import calendar
from loopcell.errors import InputError


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
