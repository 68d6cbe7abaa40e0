"""Matrices in fewer bits: what is off, and by how much at most."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from loopcell.backends.quantise import int8_rows, relative_error
from loopcell.errors import TensorError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=1, max_size=5))


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_no_weight_is_off_by_more_than_half_a_step(rows):
    matrix = np.array(rows, np.float32)
    found = int8_rows("U.h", torch.from_numpy(matrix))
    values, scales = found.values.numpy().astype(np.float64), found.scales.numpy().astype(np.float64)
    assert found.values.dtype == torch.int8
    assert np.abs(values).max() <= 127
    assert (scales > 0).all()
    largest = np.abs(matrix.astype(np.float64)).max(1)
    np.testing.assert_allclose(scales[largest > 1e-30], largest[largest > 1e-30] / 127, rtol=1e-6)
    off = np.abs(matrix - values * scales[:, None])
    assert (off <= scales[:, None] / 2 * (1 + 1e-5)).all()  # the scale is a float: a 127th is rounded too


def test_by_hand():
    found = int8_rows("W", torch.tensor([[127.0, -63.4, 0.5, 1.5], [0.0, 0.0, 0.0, 0.0], [-0.1, 0.05, 0.0, 0.0]]))
    assert found.values.tolist() == [[127, -63, 0, 2], [0, 0, 0, 0], [-127, 64, 0, 0]]  # of two as near, the even one
    assert found.scales[0] == 1
    assert found.scales[1] == torch.finfo(torch.float32).tiny
    assert found.widened().dtype == torch.float32
    torch.testing.assert_close(found.widened()[2], torch.tensor([-0.1, 64 * 0.1 / 127, 0.0, 0.0]))


def test_rounding_twice_changes_nothing():
    once = int8_rows("W", torch.randn(9, 33)).widened()
    again = int8_rows("W", once)
    assert torch.equal(again.values, int8_rows("W", again.widened()).values)
    torch.testing.assert_close(again.widened(), once)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_int8_cannot_hold(bad):
    with pytest.raises(TensorError, match=r"`U\.f` has a weight that is NaN or infinite, which int8 cannot hold"):
        int8_rows("U.f", torch.tensor([[1.0, bad]]))


def test_relative_errors():
    matrix = torch.tensor([[1.0, 2.0], [0.0, 0.0], [4.0, 0.0]])
    assert relative_error(matrix, matrix) == 0
    assert relative_error(matrix, matrix + torch.tensor([[0.1, 0.0], [0.0, 0.0], [0.0, 0.1]])) == pytest.approx(0.05)
    assert relative_error(torch.zeros(3, 0), torch.zeros(3, 0)) == 0
