"""Small files that would take much time or memory, and content that libraries raise errors of their own for."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import sys
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from loopcell.data import Record, Records, limits, pair, read, series_from
from loopcell.data.readers import reading
from loopcell.data.readers.origins import Origins
from loopcell.data.readers.records import file_origin
from loopcell.errors import DataError, UsageError

COLUMNS = 5000


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_that_says(shape, descr="<f4", data=b""):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def npz(path, method=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def refused(path, **options):
    """The sentence of the DataError."""
    with pytest.raises(DataError) as caught:
        list(read(path, **options))
    assert str(path) in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


class Compared(str):
    """A name that counts how often any is compared with another."""

    __slots__ = ()
    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Compared.count += 1
        return str.__eq__(self, other)


# ---- time in proportion to the file


class Wide(Records):
    """A table whose names count what is done with them."""

    columns = tuple(Compared(f"gene_{number}") for number in range(COLUMNS))

    def read(self, columns=None):
        yield Record(dict.fromkeys(self.columns, 1.0), file_origin("wide", 1))


def test_looking_for_columns_takes_a_look_a_column():
    Compared.count = 0
    wide = Wide()
    assert len(wide.load(*Wide.columns)) == COLUMNS
    assert Compared.count < 10 * COLUMNS


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "feather", "frame"])
def test_wide_tables(tmp_path, kind):
    """With a look at every column for each one, this took a minute."""
    names = [f"gene_{number}" for number in range(COLUMNS)]
    path = tmp_path / f"a.{kind}"
    if kind in ("csv", "tsv"):
        between = {"csv": ",", "tsv": "\t"}[kind]
        path.write_text(between.join(names) + "\n" + between.join(["1"] * COLUMNS))
    elif kind == "jsonl":
        path.write_text(json.dumps(dict.fromkeys(names, 1)))
    else:
        table = pa.table({name: [1] for name in names})
        if kind == "frame":
            path = table
        else:
            {"parquet": pa.parquet.write_table, "feather": pa.feather.write_feather}[kind](table, path)
    records = read(path)
    columns = records.load(*records.columns)
    assert [column.name for column in columns] == names
    assert [str(column[0]) for column in columns] == ["1"] * COLUMNS


def test_wide_series():
    names = [f"s{number}" for number in range(COLUMNS)]
    (series,) = series_from({name: np.zeros(2) for name in names}, target=names)
    assert series.target.shape == (2, COLUMNS)


def test_a_long_line_is_put_together_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a" * (30 << 20) + "\nb")
    tracemalloc.start()
    try:
        assert [len(record.get("text")) for record in read(path)] == [30 << 20, 1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 << 20


def test_a_folder_with_stray_files_is_refused_at_once(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "one.txt").write_text("x")
    for number in range(4000):
        (tmp_path / f"{number}.txt").write_text("x")
    with pytest.raises(DataError, match=r"has both files \(0\.txt\) and folders \(good\): class folders stand alone"):
        read(tmp_path)


def test_origins_of_many_files():
    origins = Origins([file_origin(f"file_{number}", 1) for number in range(20_000)])
    assert [origin.file for origin in origins[19_990:]] == [f"file_{number}" for number in range(19_990, 20_000)]
    assert origins[7] == file_origin("file_7", 1)


def test_a_missing_column_among_long_names_is_not_compared_letter_by_letter():
    name = "a" * (1 << 20)
    with pytest.raises(DataError) as caught:
        Record({name + "b": 1}, file_origin("f", 1)).get(name)
    assert len(str(caught.value)) < 400


# ---- memory in proportion to the file, or a limit


def test_a_header_that_says_it_is_long(tmp_path):
    """One of version 2 may say that it has 4 gigabytes, and deflated zeros are a thousandth of that."""
    header = b"\x93NUMPY\x02\x00" + struct.pack("<I", 50 << 20) + b" " * (50 << 20)
    path = npz(tmp_path / "a.npz", X=header)
    del header
    tracemalloc.start()
    try:
        said = refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said == "FILE: X is not an npy array: its header says that it has 52,428,800 bytes"
    assert peak < 8 << 20


@pytest.mark.parametrize("name", ["a.npy.gz", "a.npz"])
def test_a_row_that_is_far_larger_unpacked(tmp_path, name, monkeypatch):
    data = npy_that_says((1, 1 << 26), "<f4", bytes(1 << 20))
    path = tmp_path / name
    path.write_bytes(gzip.compress(data)) if name.endswith("gz") else npz(path, X=data)
    assert "says that one row has 268,435,456 bytes, and is compressed" in refused(path) or "FILE says" in refused(path)
    assert refused(path).endswith("; to allow more, set LOOPCELL_LARGEST_ROW in the environment")
    monkeypatch.setenv("LOOPCELL_LARGEST_ROW", str(1 << 30))
    assert "is truncated: row 1 of 1 is not whole" in refused(path)


def test_rows_of_many_arrays_count_together(tmp_path):
    row = npy_that_says((1, 1 << 24), "<f4")
    path = npz(tmp_path / "a.npz", **{f"x{number}": row for number in range(4)})
    assert "more than 134,217,728 are not unpacked at once" in refused(path)


def test_what_is_not_compressed_is_not_limited(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_LARGEST_ROW", "8")
    np.save(tmp_path / "a.npy", np.zeros((2, 100)))
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 100)))
    assert [len(list(read(tmp_path / name))) for name in ("a.npy", "a.npz")] == [2, 2]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_packed_in_ways_without_a_bound(tmp_path, method):
    path = npz(tmp_path / "a.npz", method, X=npy(np.zeros((1000, 1000))))
    assert refused(path) == "FILE: X is packed in a way that npz files are not; save it by np.savez_compressed"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    refused(path)


def test_a_row_of_very_many_cells(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_MOST_COLUMNS", "1000")
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" + b"," * 1_000_000 + b"\n"))
    assert "FILE line 3: the row has more than 1,000 cells: this is no table; to allow more, set" in refused(path)
    path = tmp_path / "b.csv"  # one row over many lines
    path.write_bytes(b"a,b\n1,2\n" + b'"' + b'\n",x,"' * 5000)
    assert "the row has more than 1,000 cells" in refused(path)
    path = tmp_path / "c.tsv"
    path.write_bytes(b"\t".join(b"%d" % number for number in range(2000)))
    assert "FILE line 1: the row has more than 1,000 cells" in refused(path)


def test_a_row_of_very_many_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_MOST_COLUMNS", "1000")
    monkeypatch.setenv("LOOPCELL_LONGEST_LINE", "10000")
    path = tmp_path / "b.csv"
    path.write_bytes(b'a,b\n1,"' + b"x\n" * 10_000)
    assert "the row has more than 10,000 characters" in refused(path)


def test_a_list_that_is_far_longer_than_the_file(tmp_path, monkeypatch):
    values = np.zeros(3_000_000, np.int32)
    table = pa.table({"series": pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), pa.array(values))})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    monkeypatch.setenv("LOOPCELL_LARGEST_ROW", str(1 << 20))
    said = refused(tmp_path / "a.parquet")
    assert "FILE: the lists of column 'series.list.element' have 3,000,000 values, far more than a file of" in said
    monkeypatch.delenv("LOOPCELL_LARGEST_ROW")
    assert len(next(iter(read(tmp_path / "a.parquet"))).get("series")) == 3_000_000


def test_statistics_at_which_pyarrow_ends_the_process(tmp_path):
    """A table of lists that we wrote, with another histogram of levels: PyArrow's C++ aborts when asked for it."""
    shutil.copy(Path(__file__).parent / "contradicting_levels.parquet", tmp_path / "a.parquet")
    assert "is damaged: its description of its lists contradicts itself (PyArrow ended at it)" in refused(
        tmp_path / "a.parquet"
    )


def test_a_program_without_an_interpreter_reads_no_lists(tmp_path, monkeypatch):
    pa.parquet.write_table(pa.table({"x": [[1.0], [2.0]], "y": [1, 2]}), tmp_path / "a.parquet")
    pa.parquet.write_table(pa.table({"y": [1, 2]}), tmp_path / "b.parquet")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    said = refused(tmp_path / "a.parquet")
    assert said == "FILE: Parquet with lists needs a Python interpreter, which this program has not"
    assert [row.get("y") for row in read(tmp_path / "b.parquet")] == [1, 2]


def test_a_long_text_that_is_there_often(tmp_path):
    """A quarter of a megabyte 400 times is 100 megabytes; in the file it is there once."""
    text = "a" * (1 << 18)
    pa.parquet.write_table(pa.table({"text": [text] * 400}), tmp_path / "a.parquet", compression="zstd")
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        rows = 0
        for record in read(tmp_path / "a.parquet"):
            rows += 1
            assert len(record.get("text")) == 1 << 18
            assert pa.total_allocated_bytes() - before < 32 << 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 400
    assert peak < 32 << 20


def test_limits_are_whole_numbers(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one")
    for wrong in ("0", "-1", "many", "1.5", "9" * 30):
        monkeypatch.setenv("LOOPCELL_LONGEST_LINE", wrong)
        with pytest.raises(UsageError, match="LOOPCELL_LONGEST_LINE is the most characters of a line of text, a whole"):
            list(read(tmp_path / "a.txt"))
    assert len({limit.variable for limit in limits.LIMITS}) == len(limits.LIMITS)


# ---- errors of ours alone, and nothing lost without a word


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (npy(np.array(["", ""], "<U1")).replace(b"<U1", b"<U0"), "has rows without a value (its shape is (2,))"),
        (
            npy_that_says((1,), "<U1", struct.pack("<I", 0x110000)),
            "row 1 has text with U+110000, which is no character",
        ),
        (npy_that_says((2,), ">U1", struct.pack(">2I", 65, 0xD800)), "row 2 has text with U+D800, which is no"),
        (npy_that_says((3,)[:1], "<f4", bytes(16)), "goes on after the 3 rows that its header tells of"),
        (npy_that_says((2,) * 40, "<f4", bytes(16)), "is damaged: its shape is (2, 2, 2,"),
        (npy_that_says((10**30, 1)), "is damaged: its shape is (1"),
        (b"\x93NUMPY\x01\x00\x20\x00" + b"{[]: 1}".ljust(32), "is not an npy array"),
        (b"\x93NUMPY\x01\x00\x20\x00" + b"{'descr': 3}".ljust(32), "is not an npy array"),
        (b"\x93NUMPY\x01\x00\xd0\x07" + b"-" * 1990 + b"1".ljust(10), "is not an npy array"),
        (b"\x93NUMPY\x01\x00\xd0\x07" + b"(" * 2000, "is not an npy array"),
        (b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16, "is not an npy array"),
    ],
)
def test_hostile_npy(tmp_path, data, reason):
    (tmp_path / "a.npy").write_bytes(data)
    assert reason in refused(tmp_path / "a.npy")
    npz(tmp_path / "a.npz", X=data)
    assert reason in refused(tmp_path / "a.npz")


def test_an_idx_of_255_axes(tmp_path):
    (tmp_path / "a.idx").write_bytes(b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"a")
    assert "is damaged: its shape is (1, 1" in refused(tmp_path / "a.idx", kind="idx")
    (tmp_path / "b.idx").write_bytes(b"\0\0\x08\x01\0\0\0\x02abc")
    assert "goes on after the 2 rows that its header tells of" in refused(tmp_path / "b.idx")


def test_an_archive_whose_names_are_no_text(tmp_path):
    path = npz(tmp_path / "a.npz", é=npy(np.zeros(2)))
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    assert refused(path).startswith("FILE cannot be read as npz: 'utf-8' codec can't decode byte 0xff")


def test_two_arrays_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", npy(np.zeros(2)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("X.npy", npy(np.ones(2)))
    assert refused(tmp_path / "a.npz") == "FILE has two arrays 'X'; give every array its own name"
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("X.npy", npy(np.zeros(2)))
        archive.writestr("X", npy(np.ones(2)))
    assert refused(tmp_path / "b.npz") == "FILE has two arrays 'X'; give every array its own name"


def bad_text():
    return pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(struct.pack("<4i", 0, 1, 3, 4)), pa.py_buffer(b"a\xff\xfeb")]
    )


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS = {"a.parquet": pa.parquet.write_table, "a.feather": pa.feather.write_feather, "a.arrow": write_stream}
FAR = [0, 2**62, 1]


def test_text_that_is_none_in_parquet(tmp_path):
    pa.parquet.write_table(pa.table({"n": [1, 2, 3], "s": bad_text()}), tmp_path / "a.parquet")
    said = refused(tmp_path / "a.parquet")
    assert said.startswith("FILE row 2: column 's' cannot be read ('utf-8' codec can't decode byte 0xff")
    records = read(tmp_path / "a.parquet", skip_bad_rows=True)
    assert [record.get("s") for record in records] == ["a", "b"]
    assert str(records.skipped).startswith("1 row skipped (rows with values that cannot be read: 1, first at")


@pytest.mark.parametrize("name", ["a.feather", "a.arrow"])
def test_text_that_is_none_in_arrow(tmp_path, name):
    WRITERS[name](pa.table({"s": bad_text()}), tmp_path / name)
    assert refused(tmp_path / name).startswith("FILE cannot be read as Arrow: In column 0: Invalid: Invalid UTF8")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ms"), pa.date64()])
def test_times_outside_of_time(tmp_path, name, kind):
    table = pa.table({"t": pa.array(FAR, pa.int64()).view(kind)})
    try:
        WRITERS[name](table, tmp_path / name)
    except pa.ArrowInvalid:
        pytest.skip("PyArrow does not write these")
    said = refused(tmp_path / name)
    assert said.startswith(("FILE row 2: column 't' cannot be read (", "FILE cannot be read as"))


def test_a_time_zone_that_is_none(tmp_path):
    write_stream(pa.table({"t": pa.array([0], pa.timestamp("us", "Nowhere/AtAll"))}), tmp_path / "a.arrow")
    assert refused(tmp_path / "a.arrow").startswith("FILE row 1: column 't' cannot be read (")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_two_columns_of_one_name(tmp_path, name):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    WRITERS[name](table, tmp_path / name)
    assert refused(tmp_path / name) == "FILE has two columns 'a'; give every column its own name"
    with pytest.raises(DataError, match=r"^the frame has two columns 'a'; give every column its own name$"):
        list(read(table))
    with pytest.raises(DataError, match=r"two columns|[Dd]uplicate"):
        list(read(pd.DataFrame([[1, 2]], columns=["a", "a"])))


def test_a_name_twice_in_a_json_object(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": 2}\n{"a": 1, "a": 3}\n{"a": {"c": 1, "c": 2}}\n')
    assert refused(tmp_path / "a.jsonl") == "FILE row 2: the name 'a' is there twice in one object"
    records = read(tmp_path / "a.jsonl", skip_bad_rows=True)
    assert len(list(records)) == 1
    assert records.skipped.total == 2


def test_a_pair_of_one_name(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(UsageError, match="the two sides of a pair need two names, got 'x' twice"):
        pair(read(tmp_path / "a.txt"), read(tmp_path / "a.txt"), names=("x", "x"))


@pytest.mark.parametrize(("encoding", "cure"), [("utf-16", "utf-16-le"), ("utf-32", "utf-32")])
def test_wide_characters_without_a_mark(tmp_path, encoding, cure):
    (tmp_path / "a.txt").write_bytes("one\ntwo".encode(f"{encoding}-le"))
    said = refused(tmp_path / "a.txt", encoding=encoding, kind="text")
    assert said.startswith(f"FILE is not {encoding}")
    if encoding == "utf-16":
        assert "it has no byte order mark; name the order of its bytes (encoding='utf-16-le'" in said
        assert read(tmp_path / "a.txt", encoding=cure, kind="text").column("text").values == ["one", "two"]


@pytest.mark.parametrize("encoding", ["idna", "punycode", "utf-7", "unicode_escape", "utf-8-sig", "hz", "iso2022_kr"])
def test_encodings_that_nobody_uses(tmp_path, encoding):
    for data in (bytes(range(1, 256)), b"xn--a.b.\n", b"\\N{BAD\n", b"\\ud800", b"+2AA-", b"\xff\xfe\xff"):
        (tmp_path / "a.txt").write_bytes(data)
        with suppress(DataError):
            list(read(tmp_path / "a.txt", encoding=encoding, kind="text"))


def test_what_a_reader_does_not_foresee_is_an_error_of_ours_with_file_and_row(tmp_path, monkeypatch):
    def reader(path, asked):
        def rows():
            yield Record({"a": 1}, file_origin(path, 1))
            raise KeyError("some library's\nown")

        return reading.FileRows(("a",), rows())

    (tmp_path / "a.txt").write_text("x")
    rows = reading.guarded(tmp_path / "a.txt", reader, reading.Reading()).rows
    assert next(rows).get("a") == 1
    with pytest.raises(DataError, match=r"a\.txt cannot be read after row 1 \(KeyError: \"some library's\\nown\"\)$"):
        next(rows)


def test_names_from_files_reach_no_terminal_raw(tmp_path):
    (tmp_path / "a.csv").write_text("a\x1b[31m,b\n1,2\n")
    records = read(tmp_path / "a.csv")
    assert "\x1b" not in records.notes[0]
    assert r"a\x1b[31m, b" in records.notes[0]
    with pytest.raises(DataError) as caught:
        records.load("c")
    assert "\x1b" not in str(caught.value)
    (tmp_path / "b.csv").write_text(("x" * 50_000 + ",") * 2 + "\n1,2\n")
    assert len(refused(tmp_path / "b.csv")) < 300


def test_a_frame_of_times_that_python_has_not():
    frame = pa.table({"t": pa.array([0, 2**62], pa.timestamp("us"))})
    with pytest.raises(DataError, match=r"^frame row 2: column 't' cannot be read"):
        list(read(frame))
    assert next(iter(read(frame))).get("t") == datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def test_the_page_on_security_has_the_limits():
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [f"| `{limit.variable}` | {limit.usual:,} | {limit.what} |" for limit in limits.LIMITS]
    assert "\n".join(rows) in page


def test_a_small_mat_file_that_becomes_very_large_is_refused_before(tmp_path):
    values, packer = 1 << 26, zlib.compressobj(9)
    head = struct.pack("<8I", 6, 8, 6, 0, 5, 8, 1, values) + struct.pack("<HH4s2I", 1, 1, b"X", 9, 8 * values)
    packed = packer.compress(struct.pack("<II", 14, len(head) + 8 * values) + head)
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(values >> 17)) + packer.flush()
    version = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    path = tmp_path / "a.mat"
    path.write_bytes(version + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match=r"becomes more than 134,217,728 bytes.*LOOPCELL_LARGEST_ROW"):
        read(path).column("X")
