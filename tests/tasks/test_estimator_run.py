from __future__ import annotations

from types import SimpleNamespace

import pytest

from loopcell import Seq2Seq
from loopcell.tasks.estimator_run import _seconds_left


@pytest.mark.parametrize(
    ("limit", "trained", "left"),
    [
        (100.0, 30.0, 70.0),
        (100.0, 120.0, 5.0),  # nothing is left, and a little is allowed
        (None, 30.0, None),
    ],
)
def test_scores_have_what_is_left_of_the_time_limit(limit, trained, left):
    model = Seq2Seq(time_limit=limit)
    model.outcome_ = SimpleNamespace(position=SimpleNamespace(seconds=trained))
    assert _seconds_left(model) == left
