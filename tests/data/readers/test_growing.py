"""Columns that grow are the cells that came: in memory, in a small form, and in a file."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopcell.data.readers import growing
from loopcell.data.readers.growing import CodedCells, GrowingCells, gather
from loopcell.data.readers.origins import RowRun
from loopcell.data.readers.packed_cells import PackedCells, pack, unpack

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
CELLS = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=2), PLAIN, max_size=2)
ARRAYS = [
    np.zeros(0),
    np.arange(3, dtype=np.int8),
    np.arange(6, dtype=">f4").reshape(2, 3),
    np.zeros((0, 3), np.float16),
    np.zeros((3, 0)),
    np.arange(8.0).reshape(2, 2, 2),
    np.float64(3.5) * np.ones(()),
    np.array([True, False]),
]


def same(one, other):
    if isinstance(one, list):
        return type(other) is list and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return type(other) is dict and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and type(other) is float:
        return (math.isnan(one) and math.isnan(other)) or one.hex() == other.hex()
    return type(one) is type(other) and one == other


def gathered(cells, size=3):
    parts = [(at, cells[at : at + size]) for at in range(0, len(cells), size)]
    return gather((([part], RowRun("f", at + 1, len(part))) for at, part in parts), 1)


@settings(deadline=None)
@given(
    cells=st.lists(CELLS, min_size=1, max_size=20),
    most=st.sampled_from(["1", "200", "1000000"]),
    few=st.integers(1, 9),
)
def test_cells_come_back_as_they_were(cells, most, few):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOPCELL_IN_MEMORY", most)
        patch.setattr(growing, "MOST_DISTINCT", few)
        found = gathered(cells)
    (column,) = found.columns
    assert len(column) == len(cells)
    assert all(map(same, cells, column))
    assert all(map(same, cells[1:4], column[1:4]))
    assert same(column[-1], cells[-1])
    assert found.origins[len(cells) - 1].row == len(cells)
    assert (found.stored > 0) == isinstance(column, PackedCells)
    with pytest.raises(IndexError):
        column[len(cells)]


def test_arrays_come_back_with_their_type_and_shape(monkeypatch):
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "1")
    (column,) = gathered(ARRAYS).columns
    assert isinstance(column, PackedCells)
    for one, other in zip(ARRAYS, column, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def test_what_no_bytes_are_made_of_stays_as_it_is(monkeypatch):
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "1")
    cells = ["a", date(2020, 1, 2), Path("x.wav"), (1, 2), {"day": date(2020, 1, 2)}, {1: 2}, "b"]
    assert pack(np.array([None])) is None
    (column,) = gathered(cells).columns
    assert isinstance(column, PackedCells)
    assert list(column) == cells


def test_few_labels_of_many_examples_take_four_bytes_each():
    cells = GrowingCells()
    for at in range(100_000):
        cells.append(f"label {at % 3}")
    assert cells.nbytes < 400_000 + 1000
    found = cells.taken()
    assert isinstance(found, CodedCells)
    assert found[3:6].distinct is found.distinct
    assert [found[at] for at in (0, 99_999)] == ["label 0", "label 0"]
    assert len(cells) == 0


def test_one_and_true_and_one_point_nought_are_three_cells():
    cells = GrowingCells()
    for cell in (1, True, 1.0, 0.0, -0.0, float("nan"), float("nan"), None):
        cells.append(cell)
    found = cells.taken()
    assert [type(cell) for cell in found] == [int, bool, float, float, float, float, float, type(None)]
    assert math.copysign(1, found[4]) == -1
    assert len(found.distinct) == 7


def test_the_largest_column_goes_to_a_file(monkeypatch):
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "10000")
    blocks = (([["a", "b"], [np.zeros(50), np.ones(50)]], RowRun("f", at, 2)) for at in range(1, 200, 2))
    labels, arrays = gather(blocks, 2).columns
    assert isinstance(labels, CodedCells)
    assert isinstance(arrays, PackedCells)
    assert arrays[199].tolist() == [1.0] * 50
    assert arrays.nbytes == 200 * (8 + 400)


def test_bytes_of_a_cell_are_read_as_what_they_are():
    assert unpack(pack("좋다\ud800")) == "좋다\ud800"
    assert unpack(pack([1, [2.5, None]])) == [1, [2.5, None]]
