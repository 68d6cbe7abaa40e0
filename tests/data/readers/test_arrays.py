"""npy, npz and idx: rows one by one, and files that lie about themselves."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from loopcell.data import read
from loopcell.errors import DataError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=4)
NUMBERS = st.sampled_from(["<f4", ">f8", "<i2", "u1", "?", "<U3"])


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def npy_that_says(shape: tuple[int, ...], descr: str = "<f4", data: bytes = b"") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def idx(array: np.ndarray, code: int) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def _elements(dtype: str) -> st.SearchStrategy[str] | None:
    """Texts that a file may hold: no halves of characters, which are refused. None: any value of the dtype."""
    return st.text(st.characters(codec="utf-8"), max_size=3) if "U" in dtype else None


@TMP
@given(array=NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES, elements=_elements(dtype))))
def test_npy_comes_back_row_by_row(tmp_path, array):
    for name, data in {"a.npy": npy(array), "a.npy.gz": gzip.compress(npy(array))}.items():
        (tmp_path / name).write_bytes(data)
        found = [record.get("values") for record in read(tmp_path / name)]
        assert len(found) == len(array)
        for row, value in zip(array, found, strict=True):
            assert array.ndim == 1 or value.dtype == array.dtype.newbyteorder("=")
            np.testing.assert_array_equal(row, value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_a_table_of_its_arrays(tmp_path, save):
    X, y = np.arange(24.0).reshape(4, 3, 2), np.array([1, 0, 1, 1])
    save(tmp_path / "a.npz", X=X, y=y, about=np.float32(3))
    records = read(tmp_path / "a.npz")
    assert records.columns == ("X", "y")
    assert records.notes == ("left out, for having no rows: " + f"{tmp_path / 'a.npz'}: about",)
    values, labels = records.load("X", "y")
    np.testing.assert_array_equal(np.stack(values.values), X)
    assert [int(label) for label in labels] == y.tolist()
    assert str(values.origins[3]) == f"{tmp_path / 'a.npz'} row 4"


def test_arrays_of_different_numbers_of_rows(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((4, 2)), y=np.zeros(5))
    with pytest.raises(DataError, match=r"a\.npz: X has 4 rows and .*: y has 5: they are to be equal"):
        list(read(tmp_path / "a.npz"))


def test_nothing_is_unpickled(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
        pickle.dump([Hostile()], file)
    with pytest.raises(DataError, match="dtype object, not numbers or text; pickled objects are never read"):
        list(read(tmp_path / "a.npy"))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("X.npy", (tmp_path / "a.npy").read_bytes())
    with pytest.raises(DataError, match="pickled objects are never read"):
        list(read(tmp_path / "b.npz"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (npy_that_says((3, 2), data=bytes(20)), r"is truncated: row 3 of 3 is not whole"),
        (npy_that_says((10**15,), data=bytes(4)), r"is truncated: row 2 of 1,000,000,000,000,000 is not whole"),
        (npy_that_says((2, 10**15)), r"says that one row has 1,000,000,000,000,000 values"),
        (npy_that_says((10**15, 0)), r"has rows without a value"),
        (npy_that_says(()), r"has a single value and no rows"),
        (npy_that_says((2, -3)), r"is damaged: its shape is \(2, -3\)"),
        (npy(np.asfortranarray(np.zeros((2, 3)))), r"is stored by columns \(Fortran order\)"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70000, r"is not an npy array"),
        (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", r"is not an npy array"),
    ],
)
def test_hostile_npy(tmp_path, data, reason):
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.npy {reason}"):
        list(read(tmp_path / "a.npy"))


def test_a_bomb_in_npz_is_read_row_by_row(tmp_path):
    """A compressed array of half a gigabyte: never in memory whole."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("X.npy", "w") as file:
        file.write(npy_that_says((512, 1 << 18), "<f4"))
        for _ in range(8):
            file.write(bytes(64 << 20))
    tracemalloc.start()
    try:
        rows = sum(1 for record in read(tmp_path / "a.npz") if not record.get("X").any())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 512
    assert peak < 16 << 20


def test_a_damaged_npz(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(100, 10)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npz (is damaged|cannot be read as npz)"):
        list(read(tmp_path / "a.npz"))
    (tmp_path / "b.npz").write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(DataError, match=r"b\.npz cannot be read as npz"):
        list(read(tmp_path / "b.npz"))


FLOATS = arrays.arrays("f4", SHAPES, elements={"allow_nan": False})
WHOLE = {code: arrays.arrays(dtype, SHAPES) for dtype, code in (("u1", 0x08), ("i2", 0x0B))}


@TMP
@given(array=st.one_of(*(st.tuples(kind, st.just(code)) for code, kind in {**WHOLE, 0x0D: FLOATS}.items())))
def test_idx_comes_back(tmp_path, array):
    values, code = array
    (tmp_path / "a-idx1-ubyte").write_bytes(idx(values, code))  # known by its first bytes alone
    found = [record.get("values") for record in read(tmp_path / "a-idx1-ubyte")]
    np.testing.assert_array_equal(np.stack(found), values)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\x08\x01\0\0\0\x09abc", "is truncated: row 4 of 9 is not whole"),
        (b"\0\0\x08\x03\0\0", "is truncated: it ends within its header"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "says that one row has 18,446,744,065,119,617,025 values"),
        (b"\0\0\x07\x01\0\0\0\x01a", "is not idx: it begins with the bytes 00 00 07 01"),
    ],
)
def test_hostile_idx(tmp_path, data, reason):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=reason):
        list(read(tmp_path / "a", kind="idx"))
