"""Numbers that a user named as missing are as good as NaN, in training, afterwards, and in a model file."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.errors import UsageError
from loopcell.tasks import SequenceClassifier, SequenceRegressor, SequenceTagger

SMALL = {"cell": "gru", "hidden_size": 8, "epochs": 2, "random_state": 0, "device": "cpu"}


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
def test_named_numbers_are_missing(kind, tmp_path):
    drawn = np.random.default_rng(0)
    holes = [np.where(drawn.random((9, 2)) < 0.2, np.nan, drawn.normal(size=(9, 2))) for _ in range(40)]
    named = [np.nan_to_num(one, nan=-999.0) for one in holes]
    first = np.array([np.nan_to_num(one)[:, 0].sum() for one in holes])
    y = {SequenceRegressor: first, SequenceClassifier: first > 0}.get(
        kind, [np.nan_to_num(one)[:, 0] > 0 for one in holes]
    )
    expected = kind(**SMALL).fit(holes, y)
    found = kind(**SMALL, missing=-999).fit(named, y)
    assert [note.partition(":")[0] for note in found.notes_] == [note.partition(":")[0] for note in expected.notes_]
    found.save(tmp_path / "m.safetensors")
    for model in (found, kind.load(tmp_path / "m.safetensors")):
        for one, other in zip(model.predict(named), expected.predict(holes), strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_is_no_missing_value():
    with pytest.raises(UsageError, match="missing: missing values are words and numbers"):
        SequenceRegressor(**SMALL, missing=[None]).fit([np.zeros((3, 1))] * 4, [0.0] * 4)
