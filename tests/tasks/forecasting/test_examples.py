"""Segments: every place counts once, none reaches past its span, and a segment that is moved stays within it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from loopcell.data import series_from
from loopcell.data.examples import Scale
from loopcell.tasks.forecasting.covariates import Covariates
from loopcell.tasks.forecasting.examples import SeriesExamples
from loopcell.tasks.forecasting.scaled import scaled


def ready(steps):
    (series,) = series_from(np.arange(steps, dtype=float))
    nothing = Scale(np.zeros(0), np.ones(0))
    return scaled(series, Scale(np.zeros(1), np.ones(1)), lambda one: Covariates().read(one, nothing, None, ""))


@settings(deadline=None)
@given(st.integers(8, 60), st.integers(1, 7), st.integers(1, 5), st.integers(0, 30), st.booleans())
def test_every_place_counts_once_with_its_future(steps, history, horizon, first, moving):
    last = steps - horizon + 1
    examples = SeriesExamples([ready(steps)], [(first, last)], history, horizon, moving=moving)
    expected = list(range(max(first, history), last))
    assert np.concatenate([[0], *(places for _, places in examples.places())]).tolist()[1:] == expected
    if not expected:
        assert len(examples) == 0
        return
    indices = np.arange(len(examples))
    batch = examples.batch(indices)
    found = []
    for row, count in enumerate(batch.origins.tolist()):
        values = batch.values[: examples.lengths[row], row, 0]
        assert (values.diff() == 1).all()
        assert values[0] >= max(first, history) - history
        assert values[-1] == values[0] + history + count - 2 + horizon
        assert values[-1] <= steps - 1
        found += (values[history : history + count]).int().tolist()
    if not moving:
        assert found == expected


def test_stretches_move_when_they_are_drawn():
    examples = SeriesExamples([ready(100)], [(0, 90)], 10, 3, moving=True)
    torch.manual_seed(0)
    starts = {examples.batch(np.array([3])).values[0, 0, 0].item() for _ in range(200)}
    assert starts == set(range(25, 36))  # the fourth of eight, at 30


def test_the_fingerprint_tells_units_and_spans_apart():
    prints = {
        SeriesExamples([ready(steps)], [(0, stop)], 5, 2).fingerprint()
        for steps, stop in ((30, 20), (30, 21), (31, 20))
    }
    assert len(prints) == 3


@pytest.mark.parametrize(("counts", "mean", "size"), [(False, 2.0, 1.0), (True, 0.0, 2.0)])
def test_scales(counts, mean, size):
    from loopcell.tasks.forecasting.scales import scale_of

    found = scale_of(np.array([[1.0, 5.0], [3.0, 5.0]]), counts=counts)
    assert found.mean[0] == mean
    assert found.size.tolist() == [size, 5.0 if counts else 1.0]  # what never changes is not divided
    values = np.random.default_rng(0).normal(size=(7, 2))
    assert found.undo(found.apply(values)) == pytest.approx(values)
