"""Examples are checked once, and what is wrong is named by file and row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.data import Column, Origin, as_sequences
from loopcell.data.examples import as_numbers, as_sequence
from loopcell.errors import DataError


def test_what_sequences_may_be():
    found = as_sequences([[1, 2, 3], np.array([[1.0], [2]]), torch.tensor([[5]], dtype=torch.int32), np.float32([[4]])])
    assert [array.dtype for array in found] == [np.float64] * 4
    assert [array.tolist() for array in found] == [[[1], [2], [3]], [[1], [2]], [[5]], [[4]]]
    same = np.zeros((2, 3))
    assert as_sequences([same])[0] is same


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.zeros((0, 2)), "is empty; at least 1 is needed"),
        ([], "is empty; at least 1 is needed"),
        (np.zeros((3, 4)), "has 4 values per step, and f.csv row 1 has 2"),
        (np.zeros((2, 2, 2)), r"has the shape [2, 2, 2]; a sequence is [T, I], or [T] of one value per step"),
        (np.zeros((2, 0)), r"has the shape [2, 0]; a sequence is [T, I], or [T] of one value per step"),
        (3.0, r"has the shape []; a sequence is [T, I], or [T] of one value per step"),
        ("abc", "has texts, not numbers"),
        ([[1], [1, 2]], "is ragged: step 2 has 2 numbers, and step 1 has 1; every step of a sequence has equally many"),
        ([[1, 2], [np.nan, 4]], "has no value (NaN) at step 2, value 1 of 2"),
        ([[1, 2], [3, np.inf]], "has an infinite value at step 2, value 2 of 2"),
        ([[1, 2e300]], "has a value too large at step 1, value 2 of 2"),
    ],
)
def test_what_they_may_not_be(bad, reason):
    good = np.zeros((2, 2))
    X = Column([good, bad], [Origin("f.csv", 1), Origin("f.csv", 2, 3)])
    with pytest.raises(DataError) as caught:
        as_sequences(X)
    assert str(caught.value).startswith(f"f.csv row 2 (line 3) {reason}")


def test_lists_name_the_index_and_bounds_are_kept():
    with pytest.raises(DataError, match=r"^X\[1\] has no value \(NaN\) at step 1$"):
        as_sequences([[1.0], [np.nan]])
    with pytest.raises(DataError, match=r"^X\[0\] has 1 step; at least 2 are needed$"):
        as_sequences([[1.0]], min_steps=2)
    with pytest.raises(DataError, match=r"^X\[0\] has 1 values per step, and the model was fitted on 3$"):
        as_sequences([[1.0]], input_size=3)
    assert np.isnan(as_sequence([np.nan, 1], "it", missing=True)[0, 0])
    with pytest.raises(DataError, match="infinite"):
        as_sequence([np.nan, np.inf], "it", missing=True)


def test_numbers():
    column = Column(["1", " 2.5 ", "-1e3"], [Origin("f.csv", row) for row in (1, 2, 3)])
    assert as_numbers(column).tolist() == [1, 2.5, -1000]
    for bad, reason in {
        "x": "'x' is not a number",
        "nan": "'nan' is not a finite number",
        None: "None is not a",
    }.items():
        with pytest.raises(DataError, match=f"^f.csv row 2: {reason}"):
            as_numbers(Column(["1", bad], [Origin("f.csv", 1), Origin("f.csv", 2)]))
