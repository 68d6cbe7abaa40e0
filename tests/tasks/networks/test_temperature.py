from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from loopcell.tasks.networks import fitted_temperature


def cross_entropy(labels):
    return lambda scores: functional.cross_entropy(scores, labels)


def test_scores_that_are_thrice_too_sure_are_divided_by_three():
    torch.manual_seed(0)
    honest = torch.randn(20_000, 3) * 2
    labels = torch.multinomial(honest.softmax(-1), 1).squeeze(1)
    assert fitted_temperature(3 * honest, cross_entropy(labels)) == pytest.approx(3.0, rel=0.05)
    assert fitted_temperature(honest, cross_entropy(labels)) == pytest.approx(1.0, rel=0.05)


def test_a_held_out_part_that_is_all_right_does_not_make_sure():
    scores = torch.eye(3) * 4
    assert fitted_temperature(scores, cross_entropy(torch.arange(3))) == pytest.approx(0.5, rel=0.01)
    assert fitted_temperature(torch.zeros(0, 3), cross_entropy(torch.zeros(0, dtype=torch.int64))) == 1.0
