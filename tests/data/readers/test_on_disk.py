"""Columns on disk are the columns in memory, in little memory, and never half written."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date

import numpy as np
import pytest

from loopcell.data import open_store, read, store
from loopcell.data.readers import where
from loopcell.errors import DataError, FileFormatError


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: str):
        (tmp_path / name).write_text(data, encoding="utf-8")
        return tmp_path / name

    return write


def test_columns_come_back_with_their_origins(write, tmp_path):
    paths = [
        write("a.jsonl", '{"t": "좋다\\n", "n": [1, null], "x": 1.5}\n\n{"t": "", "n": null, "x": -2}\n'),
        write("b.jsonl", '{"t": "\\ud800", "n": {"k": "v"}, "x": true}\n'),
    ]
    records = read(paths)
    memory = records.load("t", "n", "x")
    for columns in (store(records, tmp_path / "s", "t", "n", "x"), open_store(tmp_path / "s").values()):
        for kept, column in zip(columns, memory, strict=True):
            assert kept.name == column.name
            assert list(kept) == list(column)
            assert [where(kept, at) for at in range(3)] == [where(column, at) for at in range(3)]
            assert list(kept[1:]) == list(column[1:])
            assert where(kept.take([2, 0]), 0) == f"{paths[1]} row 1"
            assert kept[-1] == column[-1]
            with pytest.raises(IndexError):
                kept[3]


def test_arrays_stay_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(24, dtype=np.float32).reshape(4, 3, 2), y=np.arange(4))
    X, y = store(read(tmp_path / "a.npz"), tmp_path / "s", "X", "y")
    assert X[3].dtype == np.float32
    np.testing.assert_array_equal(X[3], [[18, 19], [20, 21], [22, 23]])
    assert list(y) == [0, 1, 2, 3]


def test_paths_and_dates_come_back_as_text(tmp_path):
    import polars as pl

    (column,) = store(read(pl.DataFrame({"day": [date(2020, 1, 2)]})), tmp_path / "s", "day")
    assert list(column) == ["2020-01-02"]


def test_rows_are_written_one_at_a_time(write, tmp_path):
    path = write("a.csv", "text,label\n" + "".join(f"{'word ' * 200}{row},{row % 2}\n" for row in range(20_000)))
    tracemalloc.start()
    try:
        text, label = store(read(path), tmp_path / "s", "text", "label")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(text), text[19_999][-5:], label[3]) == (20_000, "19999", "1")
    assert peak < 8 << 20 < path.stat().st_size


def test_what_was_not_written_to_its_end_is_no_store(write, tmp_path):
    good, bad = write("a.csv", "x,y\n1,2\n"), write("b.csv", "x,y\n1,2\n1\n")
    store(read(good), tmp_path / "s", "x")
    with pytest.raises(DataError, match=r"b\.csv row 2"):
        store(read(bad), tmp_path / "s", "x")
    with pytest.raises(DataError, match="is no store of columns, or was not written to its end"):
        open_store(tmp_path / "s")
    with pytest.raises(DataError, match="there is no column 'z'"):
        store(read(good), tmp_path / "s", "z")
    with pytest.raises(DataError, match=r"c\.csv has no rows$"):
        store(read(write("c.csv", "x,y\n")), tmp_path / "s", "x")


@pytest.mark.parametrize(
    "facts", ["", "[]", "{}", '{"columns": 3, "files": []}', '{"columns": {}, "files": 3}', "[" * 10_000]
)
def test_a_damaged_store(write, tmp_path, facts):
    store(read(write("a.csv", "x,y\n1,2\n")), tmp_path / "s", "x")
    (tmp_path / "s" / "columns.json").write_text(facts, encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"columns\.json is damaged"):
        open_store(tmp_path / "s")


def test_columns_that_do_not_go_together(write, tmp_path):
    store(read(write("a.csv", "x,y\n1,2\n")), tmp_path / "s", "x", "y")
    store(read(write("b.csv", "x,y\n1,2\n3,4\n")), tmp_path / "t", "x", "y")
    (tmp_path / "t" / "1" / "values.npy").replace(tmp_path / "s" / "1" / "values.npy")
    (tmp_path / "t" / "1" / "offsets.npy").replace(tmp_path / "s" / "1" / "offsets.npy")
    with pytest.raises(FileFormatError, match="different numbers of rows"):
        open_store(tmp_path / "s")
    facts = json.loads((tmp_path / "s" / "columns.json").read_text(encoding="utf-8"))
    assert facts["columns"] == {"x": False, "y": False}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda facts: {**facts, "files": []}, "its row 1 cannot be read"),
        (lambda facts: {**facts, "columns": {"x": False, "y": "no"}}, None),
        (lambda facts: {"columns": {"x": False}}, "is damaged"),
        (lambda facts: [], "is damaged"),
    ],
)
def test_an_index_that_is_damaged(write, tmp_path, change, reason):
    store(read(write("a.csv", "x,y\n1,2\n")), tmp_path / "s", "x", "y")
    index = tmp_path / "s" / "columns.json"
    index.write_text(json.dumps(change(json.loads(index.read_text()))))
    if reason is None:
        assert [len(column) for column in open_store(tmp_path / "s").values()] == [1, 1]
        return
    with pytest.raises(FileFormatError, match=reason):
        where(open_store(tmp_path / "s")["x"], 0)


def test_a_value_that_is_damaged(write, tmp_path):
    store(read(write("a.csv", "x\none\n")), tmp_path / "s", "x")
    values = tmp_path / "s" / "0" / "values.npy"
    values.write_bytes(values.read_bytes().replace(b'"one"', b'"one\xff'))
    with pytest.raises(FileFormatError, match="s is damaged: its row 1 cannot be read"):
        list(open_store(tmp_path / "s")["x"])
