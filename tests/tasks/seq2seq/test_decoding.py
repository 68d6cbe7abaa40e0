"""How answers are compared."""

from __future__ import annotations

import pytest

from loopcell.tasks.seq2seq.decoding import Hypothesis


def test_the_penalty_is_that_of_the_paper():
    assert Hypothesis([1, 1, 1], -2.0).score(0.6) == pytest.approx(-2.0 / ((5 + 4) / 6) ** 0.6)
    assert Hypothesis([1, 1, 1], -2.0).score(0.0) == -2.0
