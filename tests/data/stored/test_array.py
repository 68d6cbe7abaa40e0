"""An array in a file is the array, and no more of it is in memory than was asked for."""

from __future__ import annotations

import copy
import gc
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data.stored import StoredArray
from loopcell.errors import FileFormatError


def stored(path, array, start=0):
    path.write_bytes(bytes(start) + array.tobytes())
    return StoredArray(path.open("rb"), array.dtype, array.shape, start, str(path))


@given(start=st.integers(0, 9), first=st.integers(-12, 12), last=st.none() | st.integers(-12, 12))
def test_rows_and_slices_are_those_of_the_array(tmp_path_factory, start, first, last):
    array = np.arange(30, dtype=np.int16).reshape(10, 3)
    found = stored(tmp_path_factory.mktemp("a") / "a", array, start)
    np.testing.assert_array_equal(found[first:last], array[first:last])
    np.testing.assert_array_equal(np.asarray(found), array)
    np.testing.assert_array_equal(np.concatenate(list(found.blocks())), array)
    if -10 <= first < 10:
        np.testing.assert_array_equal(found[first], array[first])
    else:
        with pytest.raises(IndexError):
            found[first]
    assert (len(found), found.shape, found.ndim, found.nbytes) == (10, (10, 3), 2, array.nbytes)


def test_a_part_takes_the_memory_of_the_part(tmp_path):
    found = stored(tmp_path / "a", np.zeros((1 << 20, 8), np.float32))
    tracemalloc.start()
    try:
        assert found[1000:1010].shape == (10, 8)
        assert sum(len(block) for block in found.blocks()) == 1 << 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20 < found.nbytes


def test_several_threads_read_one_file(tmp_path):
    array = np.arange(100_000)
    found = stored(tmp_path / "a", array)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: found[at : at + 1000], range(0, 99_000, 99)))
    for at, part in zip(range(0, 99_000, 99), parts, strict=True):
        np.testing.assert_array_equal(part, array[at : at + 1000])


def test_the_file_is_closed_with_the_array_and_a_copy_is_the_same(tmp_path):
    found = stored(tmp_path / "a", np.arange(3))
    assert copy.deepcopy(found) is found
    file = found._file
    del found
    gc.collect()
    assert file.closed


def test_mapped_is_the_same_numbers(tmp_path):
    array = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(stored(tmp_path / "a", array, 8).mapped(), array)


def test_a_file_that_was_cut_off(tmp_path):
    found = stored(tmp_path / "a", np.arange(10))
    os.truncate(tmp_path / "a", 40)
    assert found[:5].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(FileFormatError, match="is shorter than it was when it was written"):
        found[:6]
    with pytest.raises(IndexError, match="a slice without a step"):
        found[::2]
