"""Whether few held-out examples tell what was learned from chance."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.tasks.estimator import chance_notes


@pytest.mark.parametrize(
    ("gains", "chance"),
    [
        ([0.9, 1.0, 0.8, 1.1, 0.9], False),  # mean 0.94, standard error 0.05
        ([0.5, -0.4, 0.3, -0.1, 0.2], True),  # 0.10, 0.16
        ([0.1, 0.5], False),  # too few for any spread
        ([-0.5, -0.4, -0.3], False),  # worse than knowing nothing, which is said elsewhere
        ([0.0, 0.0, 0.0], False),
        ([0.5, -0.4] * 120, False),  # 240 examples choose well
        ([0.5, -0.4] * 100, True),  # 0.05, 0.0319: within two standard errors
        ([0.5, -0.3] * 100, False),  # 0.10, 0.0284
    ],
)
def test_a_gain_within_two_standard_errors_may_be_chance(gains, chance):
    notes = chance_notes(np.array(gains), "try epochs=3")
    assert bool(notes) == chance
    if chance:
        assert notes[0].startswith(f"what was learned cannot be told from chance by {len(gains):,} held-out examples: ")
        assert notes[0].endswith("or try epochs=3")


def test_the_sentence_has_the_figures():
    (note,) = chance_notes(np.array([0.5, -0.4, 0.3, -0.1, 0.2]), "try epochs=3")
    assert "their mean loss is 0.1000 below that of saying how frequent each label is" in note
    assert "with a standard error of 0.1581;" in note  # sqrt(0.5 / 4 / 5)
