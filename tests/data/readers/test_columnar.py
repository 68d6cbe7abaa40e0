"""Parquet, Arrow and frames: the same rows from each, and files that are not what they say."""

from __future__ import annotations

import sys
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from loopcell.data import read
from loopcell.errors import DataError, MissingExtraError, UsageError

ROWS = {
    "text": ["좋다", "b", None],
    "label": [1, 2, 3],
    "series": [[1.0, 2.0], [], [3.0]],
    "day": [date(2020, 1, n) for n in (1, 2, 3)],
}
TABLE = pa.table(ROWS)


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "a.parquet": pyarrow.parquet.write_table,
    "a.feather": pyarrow.feather.write_feather,
    "a.arrow": write_stream,
}


def rows(records) -> list[tuple]:
    return [tuple(record.values.values()) for record in records]


@pytest.mark.parametrize("name", WRITERS)
def test_files_come_back(tmp_path, name):
    WRITERS[name](TABLE, tmp_path / name)
    records = read(tmp_path / name)
    assert records.columns == ("text", "label", "series", "day")
    assert rows(records) == list(zip(*ROWS.values(), strict=True))
    assert [str(record.origin) for record in records][2] == f"{tmp_path / name} row 3"
    assert list(records.column("label")) == [1, 2, 3]
    assert [list(record.values) for record in records.read(("label",))] == [["label"]] * 3


@pytest.mark.parametrize(
    "frame",
    [
        TABLE,
        pl.DataFrame(ROWS),
        pl.LazyFrame(ROWS),
        pd.DataFrame(ROWS),
        pl.LazyFrame(ROWS).filter(pl.col("label") > 0),
    ],
)
def test_frames_are_read_as_files_are(frame):
    records = read(frame)
    assert records.columns == ("text", "label", "series", "day")
    assert [record.get("label") for record in records] == [1, 2, 3]
    assert [list(record.get("series")) for record in records] == ROWS["series"]
    assert str(next(iter(records)).origin) == "frame row 1"
    assert records.load("label")[0].values == [1, 2, 3]
    assert records.load("label")[0].values == [1, 2, 3]  # and again


def test_many_batches_keep_counting(tmp_path):
    table = pa.table({"n": np.arange(10_000)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    found = read(tmp_path / "a.parquet").column("n")
    assert found.values == list(range(10_000))
    assert [origin.row for origin in found.origins] == list(range(1, 10_001))


def test_parquet_with_the_wrong_first_bytes(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"JUNK" + bytes(100))
    with pytest.raises(DataError, match=r"ends in \.parquet, but its first bytes are 4a 55 4e 4b 00 00 00 00, not"):
        read(path)
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet: "):
        list(read(path, kind="parquet"))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_what_is_cut_off_is_an_error(tmp_path, name, kept):
    WRITERS[name](pa.table({"n": np.arange(10_000)}), tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=f"{name} cannot be read as (Parquet|Arrow): "):
        list(read(tmp_path / name))


def test_arrow_whose_offsets_lead_outside_is_refused(tmp_path):
    """Arrow's memory is used as it is, so a hostile offset would read what is not the file's."""
    write_stream(pa.table({"text": ["ab", "cd"]}), tmp_path / "a.arrow")
    data = (tmp_path / "a.arrow").read_bytes()
    offsets = np.array([0, 2, 4], "<i4").tobytes()
    assert data.count(offsets) == 1
    (tmp_path / "a.arrow").write_bytes(data.replace(offsets, np.array([0, 2, 1 << 30], "<i4").tobytes()))
    with pytest.raises(DataError, match=r"a\.arrow cannot be read as Arrow"):
        list(read(tmp_path / "a.arrow"))


def test_compressed_parquet_is_not_streamed(tmp_path):
    import gzip

    pyarrow.parquet.write_table(TABLE, tmp_path / "a.parquet")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    with pytest.raises(DataError, match="is Parquet inside gzip: decompress it first"):
        list(read(tmp_path / "a.parquet.gz"))


def test_pyarrow_is_an_extra(tmp_path, monkeypatch):
    pyarrow.parquet.write_table(TABLE, tmp_path / "a.parquet")
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r'Parquet files need pyarrow: pip install "loopcell\[data\]"'):
        list(read(tmp_path / "a.parquet"))
    with pytest.raises(MissingExtraError, match=r"data frames need pyarrow"):
        read(pl.DataFrame(ROWS))


@pytest.mark.parametrize("source", [7, {"a": 1}, [3], None])
def test_what_is_no_source(source):
    with pytest.raises(UsageError, match="read takes a path, several paths, a folder or a data frame, got"):
        read(source)
    with pytest.raises(UsageError, match="there are no files to read"):
        read([])


def test_an_index_of_pandas_without_a_name_is_no_column():
    """What is left of a frame's rows keeps their numbers, which PyArrow makes a column of."""
    frame = pd.DataFrame({"a": [1, 2, 3, 4]})[lambda whole: whole.a != 2]
    assert read(frame).columns == ("a",)
    assert [record.values for record in read(frame)] == [{"a": 1}, {"a": 3}, {"a": 4}]
    assert read(frame.rename_axis("row")).columns == ("a", "row")
