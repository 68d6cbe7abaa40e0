"""The scaler of a model: against NumPy in double precision, kept in the state dict."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.data import Standardiser
from loopcell.errors import DataError, InputError


@given(lengths=st.lists(st.integers(0, 20), min_size=1, max_size=6), offset=st.sampled_from([0.0, 1e6]))
def test_it_is_numpys_mean_and_deviation(lengths, offset):
    drawn = np.random.default_rng(sum(lengths))
    sequences = [drawn.normal(size=(length, 3)) * [1, 10, 0.1] + offset for length in lengths]
    if not sum(lengths):
        with pytest.raises(DataError, match="not one step"):
            Standardiser(3).fit(sequences)
        return
    scaler = Standardiser(3).double().fit(iter(sequences))
    steps = np.concatenate(sequences)
    np.testing.assert_allclose(scaler.mean.numpy(), steps.mean(axis=0), rtol=1e-12)
    deviation = steps.std(axis=0)
    np.testing.assert_allclose(scaler.scale.numpy(), np.where(deviation > 0, deviation, 1), rtol=1e-6)
    x = torch.from_numpy(steps)
    np.testing.assert_allclose(scaler(x).numpy(), (steps - steps.mean(axis=0)) / scaler.scale.numpy(), atol=1e-6)
    np.testing.assert_allclose(scaler.inverse(scaler(x)).numpy(), steps)


def test_an_input_that_never_changes_stays_finite():
    scaler = Standardiser(2).fit([np.full((50, 2), 0.1), np.array([[0.1, 5.0]])])
    assert scaler.scale[0] == 1
    assert scaler(torch.tensor([[0.1, 0.1]]))[0, 0].abs() < 1e-6


def test_it_is_saved_with_the_model_and_learns_nothing_by_gradient():
    scaler = Standardiser(2).fit([np.array([[1.0, 2.0], [3.0, 6.0]])])
    assert list(scaler.parameters()) == []
    again = Standardiser(2)
    assert torch.equal(again(torch.ones(1, 2)), torch.ones(1, 2))  # not fitted: changes nothing
    again.load_state_dict(scaler.state_dict())
    assert torch.equal(again(torch.ones(3, 1, 2)), scaler(torch.ones(3, 1, 2)))
    assert scaler.mean.tolist() == [2, 4]
    assert scaler.scale.tolist() == [1, 2]


def test_what_it_refuses():
    with pytest.raises(InputError, match=r"sequence 1 is to be \[T, 2\], got \[3, 1\]"):
        Standardiser(2).fit([np.zeros((1, 2)), np.zeros((3, 1))])
    with pytest.raises(DataError, match=r"sequence 0 has no value \(NaN\) at step 1, value 2 of 2"):
        Standardiser(2).fit([np.array([[0, np.nan]])])
