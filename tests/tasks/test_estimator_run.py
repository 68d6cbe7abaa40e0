from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from loopcell import Seq2Seq
from loopcell.tasks.estimator_run import _seconds_left


def trained_for(limit, seconds):
    model = Seq2Seq(time_limit=limit)
    model.outcome_ = SimpleNamespace(position=SimpleNamespace(seconds=seconds))
    return model


@pytest.mark.parametrize(
    ("limit", "trained", "since", "left"),
    [
        (100.0, 30.0, 40.0, 60.0),  # reading took 10 s
        (100.0, 70.0, 5.0, 30.0),  # resumed: most of it was trained before
        (100.0, 120.0, 120.0, 5.0),  # nothing is left, and a little is allowed
        (None, 30.0, 40.0, None),
    ],
)
def test_scores_have_what_is_left_of_the_time_limit(limit, trained, since, left):
    found = _seconds_left(trained_for(limit, trained), time.monotonic() - since)
    assert found == left if left is None else found == pytest.approx(left, abs=0.5)
