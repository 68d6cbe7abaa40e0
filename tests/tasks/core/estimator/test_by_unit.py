"""Whole units are held out, and of a single unit segments that share no row with what is learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import sequences_from_table
from loopcell.data.examples import split_segments
from loopcell.errors import DataError
from loopcell.tasks.core.estimator.by_unit import as_units

TINY = {"hidden_size": 4, "epochs": 1, "device": "cpu", "random_state": 0, "cell": "gru"}


def table(units, rows):
    """Units whose label is constant, of one sensor."""
    at = pd.DataFrame({"unit": np.repeat(np.arange(units), rows), "step": np.tile(np.arange(rows), units)})
    return at.assign(a=np.sin(at["unit"] + at["step"]), kind=np.where(at["unit"] % 2, "odd", "even"))


def rows_of(part):
    return {
        (number, row)
        for number, (a, b) in zip(part.units.numbers, part.units.spans, strict=True)
        for row in range(a, b)
    }


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
@pytest.mark.parametrize("units", [2, 5, 20])
def test_no_unit_is_in_both_parts(kind, units):
    each_step = kind is SequenceTagger
    target = "a" if kind is SequenceRegressor else "kind"
    found = sequences_from_table(
        table(units, 12), input="a", by="unit", target=target, window=4, stride=2, each_step=each_step
    )
    fitted = kind(**TINY)
    parts = [fitted.parts(found.X, found.y), fitted.parts(list(found.X), list(found.y), groups=found.units.numbers)]
    for training, held_out in parts[: 1 if units == 2 and kind is SequenceClassifier else 2]:
        if units == 2 and kind is SequenceClassifier:  # a unit of each class: none can be held out by class
            assert held_out is None
            continue
        known, out = ({int(n) for n in part[1].units.numbers} for part in (training, held_out))
        assert not known & out
        assert min(len(known), len(out)) > 0
        assert known | out == set(range(units))


def test_fit_holds_out_units_by_their_labels_and_scores_on_them():
    found = sequences_from_table(table(20, 12), input="a", by="unit", target="kind", window=4)
    fitted = SequenceClassifier(**TINY).fit(found.X, found.y)
    training, held_out = fitted.parts(found.X, found.y)
    assert sorted(set(held_out[1])) == ["even", "odd"]
    assert len(training[0]) + len(held_out[0]) == len(found.X)
    assert f"{len(held_out[0])} sequences" in str(fitted.score_held_out(found.X, found.y))


def test_too_few_units_to_hold_out_by_class_is_said():
    found = sequences_from_table(table(2, 12), input="a", by="unit", target="kind", window=4)
    fitted = SequenceClassifier(**TINY).fit(found.X, found.y)
    assert any(note.startswith("nothing is held out: ") for note in fitted.notes_)


@pytest.mark.parametrize(("rows", "window"), [(400, 10), (300, 50), (200, 60)])
def test_windows_of_one_unit_share_no_row_with_those_held_out(rows, window):
    found = sequences_from_table(table(1, rows), input="a", target="a", window=window)
    (_, known), (_, out) = SequenceRegressor(**TINY).parts(found.X, found.y)
    assert not rows_of(known) & rows_of(out)
    assert len(known) > 0 < len(out)


def test_a_window_that_leaves_nothing_to_learn_from_is_said():
    spans = np.stack([np.arange(20), np.arange(20) + 100], axis=1)
    with pytest.raises(DataError, match="20 windows of one series are too few to hold out 2"):
        split_segments(spans, 0.1)


def test_windows_that_share_nothing_are_held_out_one_by_one():
    spans = np.stack([np.arange(40) * 5, np.arange(40) * 5 + 5], axis=1)
    training, held_out = split_segments(spans, 0.1, seed=3)
    assert len(held_out) == 4
    assert sorted([*training, *held_out]) == list(range(40))


@pytest.mark.parametrize(
    ("groups", "sentence"), [([1, 2], "groups has 2 entries, and X has 3"), (["a", None, "b"], r"groups\[1\] is None")]
)
def test_groups_that_are_none_are_said(groups, sentence):
    with pytest.raises(DataError, match=sentence):
        as_units(groups, 3)
