"""Sequences of different lengths in one array: in memory, in a folder, and padded into a batch."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import Padded, Ragged, pad
from loopcell.data.stored import StoredArray
from loopcell.errors import DataError, FileFormatError, InputError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@st.composite
def sequences(draw, least=0):
    dtype = draw(st.sampled_from(["f4", "f8", "i8", "u1"]))
    further = draw(st.sampled_from([(), (3,), (2, 2)]))
    lengths = draw(st.lists(st.integers(least, 5), min_size=1, max_size=6))
    drawn = np.random.default_rng(draw(st.integers(0, 9)))
    return [(drawn.normal(size=(length, *further)) * 10).astype(dtype) for length in lengths]


@TMP
@given(arrays=sequences())
def test_memory_and_folder_give_the_sequences_back(tmp_path, arrays):
    for ragged in (Ragged.of(arrays), Ragged.write(tmp_path / "r", iter(arrays)), Ragged.open(tmp_path / "r")):
        assert len(ragged) == len(arrays)
        assert ragged.lengths.tolist() == [len(array) for array in arrays]
        for found, array in zip(ragged, arrays, strict=True):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
        np.testing.assert_array_equal(ragged[-1], arrays[-1])
        np.testing.assert_array_equal(ragged.take([0, 0])[1], arrays[0])
        with pytest.raises(IndexError):
            ragged[len(arrays)]


def test_of_a_folder_only_what_is_asked_for_is_read(tmp_path):
    ragged = Ragged.write(tmp_path, [np.zeros((5, 2), np.float32)] * 3)
    assert isinstance(ragged.values, StoredArray)
    assert np.load(tmp_path / "values.npy").shape == (15, 2)  # NumPy reads it too


def test_more_than_memory_is_written_one_sequence_at_a_time(tmp_path):
    tracemalloc.start()
    try:
        ragged = Ragged.write(tmp_path, (np.full((1 << 18, 1), number, np.float32) for number in range(100)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ragged.values.nbytes == 100 << 20
    assert peak < 8 << 20
    assert [float(ragged[number][-1, 0]) for number in (0, 99)] == [0, 99]


def test_what_does_not_fit_in_memory_goes_to_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arrays = [np.full((100, 2), number, np.float32) for number in range(10)]
    assert not Ragged.of(iter(arrays)).stored
    ragged = Ragged.of(iter(arrays), in_memory=2000)
    assert ragged.stored
    assert list(tmp_path.iterdir()) == []
    for found, array in zip(ragged, arrays, strict=True):
        np.testing.assert_array_equal(found, array)
    assert ragged[9][-1, 0] == 9
    with pytest.raises(InputError, match="sequence 10 is"):
        Ragged.of([*arrays, np.zeros(3)], in_memory=2000)


def test_sequences_that_do_not_go_together(tmp_path):
    one = np.zeros((2, 3), np.float32)
    for other in (np.zeros((2, 4), np.float32), np.zeros((2, 3)), np.array(["a"]), np.float32(3)):
        for make in (Ragged.of, lambda arrays: Ragged.write(tmp_path, arrays)):
            with pytest.raises(InputError, match="sequence 1 is"):
                make([one, other])
    for make in (Ragged.of, lambda arrays: Ragged.write(tmp_path, arrays)):
        with pytest.raises(InputError, match="there are no sequences"):
            make([])


def test_what_was_not_written_to_its_end_is_not_opened(tmp_path):
    def broken():
        yield np.zeros(3)
        raise RuntimeError("power cut")

    Ragged.write(tmp_path, [np.ones(2)])
    with pytest.raises(RuntimeError):
        Ragged.write(tmp_path, broken())
    with pytest.raises(DataError, match="was not written to its end"):
        Ragged.open(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["values.npy"]  # no temporary files left


def test_hostile_folders(tmp_path):
    Ragged.write(tmp_path, [np.ones((2, 3), np.float32), np.ones((3, 3), np.float32)])
    for offsets in ([0, 2, 4], [0, 6, 5], [1, 2, 5], [[0, 5]], []):
        np.save(tmp_path / "offsets.npy", np.array(offsets, np.int64))
        with pytest.raises(FileFormatError, match="is damaged: its offsets contradict its values"):
            Ragged.open(tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0, 5]))
    data = (tmp_path / "values.npy").read_bytes()
    (tmp_path / "values.npy").write_bytes(data[:-8])
    with pytest.raises(FileFormatError, match="cannot be read"):
        Ragged.open(tmp_path)
    (tmp_path / "values.npy").write_bytes(b"junk")
    with pytest.raises(FileFormatError, match="cannot be read"):
        Ragged.open(tmp_path)


@given(arrays=sequences(), value=st.integers(0, 3))
def test_padded_batches_have_every_value_in_its_place(arrays, value):
    batch = pad(arrays, value=value)
    assert batch.values.dtype == (torch.float32 if arrays[0].dtype.kind == "f" else torch.int64)
    assert batch.values.shape[:2] == (max(map(len, arrays)), len(arrays))
    for index, array in enumerate(arrays):
        expected = array.astype(np.float32) if array.dtype.kind == "f" else array
        np.testing.assert_array_equal(batch.values[: len(array), index].numpy(), expected)
        assert (batch.values[len(array) :, index] == value).all()
        assert batch.lengths[index] == len(array)


@given(arrays=sequences(), steps=st.integers(1, 7))
def test_chunks_put_together_are_the_batch(arrays, steps):
    batch = pad(arrays)
    chunks = list(batch.chunks(steps))
    assert all(len(chunk.values) <= steps for chunk in chunks)
    assert sum(len(chunk.values) for chunk in chunks) == len(batch.values)
    for row in range(len(arrays)):
        parts = [chunk.values[: chunk.lengths[row], row] for chunk in chunks]
        whole = torch.cat(parts) if parts else batch.values[:0, row]
        assert torch.equal(whole, batch.values[: batch.lengths[row], row])


def test_batches_that_cannot_be():
    with pytest.raises(InputError, match="there are no sequences to put into a batch"):
        pad([])
    for other in (np.zeros((2, 4)), np.zeros((2, 3), np.int64), np.zeros(2)):
        with pytest.raises(InputError, match="sequence 1 of the batch is"):
            pad([np.zeros((2, 3)), other])
    with pytest.raises(InputError, match="at least 1 step"):
        next(Padded(torch.zeros(2, 1), torch.tensor([2])).chunks(0))
