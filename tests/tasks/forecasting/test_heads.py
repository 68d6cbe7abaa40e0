"""Each head's loss, mean, quantiles and draws against SciPy's distributions, or by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from loopcell.tasks.forecasting.heads import Mean, NegativeBinomial, Quantiles, StudentT

LEVELS = (0.1, 0.5, 0.9)


def test_the_mean_is_squared_error():
    head = Mean(())
    found = torch.tensor([[2.0]])
    assert head.loss(found, torch.tensor([5.0]), torch.ones(1)).tolist() == [9.0]
    assert head.quantiles(found, torch.ones(1)).shape == (1, 0)
    assert head.draw(found, torch.ones(1)).tolist() == [2.0]


def test_the_mean_has_other_losses_by_name():
    true, found = torch.tensor([5.0, 2.5]), torch.tensor([[2.0], [2.0]])
    assert Mean((), "mae").loss(found, true, torch.ones(2)).tolist() == [3.0, 0.5]
    assert Mean((), "huber").loss(found, true, torch.ones(2)).tolist() == [2.5, 0.125]
    both = torch.tensor([[2.0, 5.0]])  # a mean that is off by 3, and a median that is right
    assert Quantiles((0.5,), "mae").loss(both, true[:1], torch.ones(1)).tolist() == [1.5]
    assert Quantiles((0.5,)).loss(both, true[:1], torch.ones(1)).tolist() == [4.5]


def test_quantiles_by_hand():
    head = Quantiles(LEVELS)
    found = torch.tensor([[1.0, 3.0, 0.0, 2.0]])  # the mean, and quantiles that cross
    pinball = (0.1 * 0 + 0.9 * 1 + 0.5 * 2 + 0.9 * 0) / 3  # of 2: 3 is over by 1, 0 under by 2, 2 is right
    loss = head.loss(found, torch.tensor([2.0]), torch.ones(1))
    assert loss.item() == pytest.approx(0.5 * 1 + 2 * pinball)
    assert head.quantiles(found, torch.ones(1)).tolist() == [[0.0, 2.0, 3.0]]
    torch.manual_seed(0)
    drawn = head.draw(found.expand(20_000, 4), torch.ones(20_000))
    assert np.quantile(drawn.numpy(), LEVELS) == pytest.approx([0, 2, 3], abs=0.05)
    assert Quantiles((0.5,)).draw(torch.tensor([[1.0, 7.0]]), torch.ones(1)).tolist() == [7.0]


def test_students_t_is_scipys():
    head = StudentT(LEVELS)
    found = torch.tensor([[1.5, 0.3, 1.0]], dtype=torch.float64)
    place, spread, freedom = (part.item() for part in head._parts(found))
    expected = stats.t(freedom, place, spread)
    true = torch.tensor([-2.0], dtype=torch.float64)
    assert head.loss(found, true, torch.ones(1)).item() == pytest.approx(-expected.logpdf(-2.0))
    assert head.quantiles(found, torch.ones(1))[0].numpy() == pytest.approx(expected.ppf(LEVELS))
    torch.manual_seed(0)
    drawn = head.draw(found.expand(20_000, 3), torch.ones(20_000)).numpy()
    assert np.quantile(drawn, LEVELS) == pytest.approx(expected.ppf(LEVELS), abs=0.05)


def test_the_negative_binomial_is_scipys():
    head = NegativeBinomial(LEVELS)
    found, scale = torch.tensor([[1.0, 0.2]], dtype=torch.float64), torch.tensor([4.0], dtype=torch.float64)
    mean, spread = (part.item() for part in head._parts(found, scale))
    expected = stats.nbinom(1 / spread, 1 / (1 + spread * mean))
    assert expected.mean() == pytest.approx(mean)
    assert expected.var() == pytest.approx(mean + spread * mean**2)
    loss = head.loss(found, torch.tensor([7 / 4], dtype=torch.float64), scale)
    assert loss.item() == pytest.approx(-expected.logpmf(7))
    assert head.mean(found).item() * 4 == pytest.approx(mean)
    assert (head.quantiles(found, scale)[0] * 4).numpy() == pytest.approx(expected.ppf(LEVELS))
    torch.manual_seed(0)
    drawn = 4 * head.draw(found.expand(20_000, 2), scale.expand(20_000)).numpy()
    assert drawn.mean() == pytest.approx(mean, rel=0.03)
    assert drawn == pytest.approx(np.round(drawn), abs=1e-6)
