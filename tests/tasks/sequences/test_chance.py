"""Whether few held-out examples tell what was learned from chance."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.tasks.sequences.chance import chance_notes


@pytest.mark.parametrize(
    ("gains", "chance"),
    [
        ([0.9, 1.0, 0.8, 1.1, 0.9], False),  # mean 0.94, standard error 0.05
        ([0.5, -0.4, 0.3, -0.1, 0.2], True),  # 0.10, 0.16
        ([0.059, 0.167, 0.481, 0.448, 0.867], True),  # of a run whose test accuracy was 0.33 of 3 classes: 0.40, 0.14
        ([0.1, 0.5], False),  # too few for any spread
        ([-0.5, -0.4, -0.3], False),  # worse than knowing nothing, which is said elsewhere
        ([0.0, 0.0, 0.0], False),
        ([0.5, -0.4] * 120, False),  # 240 examples choose well
        ([0.5, -0.4] * 100, True),  # 0.05, 0.0319: 1.6 standard errors, where 200 examples need 2.60
        ([0.5, -0.3] * 100, False),  # 0.10, 0.0284: 3.5
        ([4.7, -3.7, 3.1, -2.1, 0.5], True),  # 0.5, 1.55
        ([0.9, 0.5, 0.7, 0.6, 0.3], False),  # 0.6, 0.1: 6.0, where 5 examples need 4.604
        ([1.0, 0.5, 0.7, 0.6, 0.2], True),  # 0.6, 0.1304: 4.600
    ],
)
def test_a_gain_that_fails_students_test_may_be_chance(gains, chance):
    notes = chance_notes(np.array(gains), "try epochs=3")
    assert bool(notes) == chance
    if chance:
        assert notes[0].startswith(f"what was learned cannot be told from chance by {len(gains):,} held-out examples: ")
        assert notes[0].endswith("or try epochs=3")


def test_the_sentence_has_the_figures():
    (note,) = chance_notes(np.array([0.5, -0.4, 0.3, -0.1, 0.2]), "try epochs=3")
    assert "their mean loss is 0.1000 below that of saying how frequent each label is" in note
    assert "with a standard error of 0.1581;" in note  # sqrt(0.5 / 4 / 5)
