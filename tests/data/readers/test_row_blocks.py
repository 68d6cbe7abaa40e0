"""Blocks of columns have the cells of the rows, of every kind of source."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from loopcell.data import Origin, read
from loopcell.data.readers.number_columns import load_numbers
from loopcell.data.readers.origins import Origins, RowRun
from loopcell.data.readers.row_block import NumberLists, plain_cells
from loopcell.data.readers.without_missing import without_missing
from loopcell.errors import DataError

ROWS = {
    "text": ["좋다", "b", None, "d"],
    "whole": [1, 2, 3, -4],
    "holes": [1, None, 3, 4],
    "float": [0.5, None, float("nan"), -0.0],
    "large": [2**53, 1, 2, 3],
    "truth": [True, False, None, True],
    "series": [[1.0, 2.0], [], [3.0], [4.0]],
    "steps": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]], [], [[7.0, 8.0]]],
    "uneven": [[[1.0], [3.0, 4.0]], [[5.0, 6.0]], [], [[7.0]]],
    "labels": [["a", None], [], ["b"], None],
}
TABLE = pa.table(ROWS)


@pytest.fixture
def sources(tmp_path):
    pyarrow.parquet.write_table(TABLE, tmp_path / "a.parquet", row_group_size=3)
    pa.feather.write_feather(TABLE, tmp_path / "a.feather")
    lines = [json.dumps({name: cells[row] for name, cells in ROWS.items()}) for row in range(4)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines).replace("NaN", "null"), encoding="utf-8")
    for unit in (1, 2):
        (tmp_path / f"folder/unit={unit}").mkdir(parents=True)
        pyarrow.parquet.write_table(TABLE, tmp_path / f"folder/unit={unit}/a.parquet")
    frame = pl.from_arrow(TABLE)
    return [
        *(tmp_path / name for name in ("a.parquet", "a.feather", "a.jsonl", "folder")),
        TABLE, frame, frame.lazy(), pd.DataFrame({name: ROWS[name] for name in ("text", "whole", "float")}),
    ]  # fmt: skip


def test_blocks_are_the_rows(sources):
    for source in sources:
        records = read(source)
        names = records.columns
        rows = [(*(record.get(name) for name in names), record.origin) for record in records]
        found = []
        for block in records.blocks(names):
            columns = [plain_cells(block.cells[name]) for name in names]
            found += zip(*columns, block.origins, strict=True)
        assert len(found) == len(rows)
        for one, other in zip(found, rows, strict=True):
            assert list(map(_comparable, one)) == list(map(_comparable, other))


def _comparable(cell):
    """Return what a cell is compared by: of a float that is missing, NaN is as good as None."""
    return None if cell is None or (isinstance(cell, float) and np.isnan(cell)) else (type(cell).__name__, repr(cell))


def test_numbers_are_arrays_where_nothing_is_lost(sources):
    (block, *_) = read(sources[0]).blocks(tuple(ROWS))
    assert {name for name, cells in block.cells.items() if isinstance(cells, np.ndarray)} == {"whole", "float"}
    assert {name for name, cells in block.cells.items() if isinstance(cells, NumberLists)} == {"series", "steps"}
    assert block.cells["steps"][0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert block.cells["large"] == [2**53, 1, 2]


def test_what_is_named_as_missing_is_not_there(sources):
    records = without_missing(read(sources[0]), (-4, "d"))
    (first, last) = records.blocks(("whole", "text", "float"))
    assert isinstance(first.cells["whole"], np.ndarray)
    assert (last.cells["whole"], last.cells["text"]) == ([None], [None])
    assert records.files == [sources[0]]


def test_columns_of_numbers_are_arrays_only_where_they_are_asked_for(sources):
    whole, text, numbers = load_numbers(read(sources[0]), ("whole", "text", "float"), {"whole", "text"})
    assert whole.values.tolist() == [1, 2, 3, -4]
    assert text.values == ROWS["text"]
    assert isinstance(numbers.values, list)
    assert str(whole.origins[3]) == f"{sources[0]} row 4"
    with pytest.raises(DataError, match="there is no column 'no'"):
        load_numbers(read(sources[0]), ("no",), ())


def test_a_row_that_cannot_be_read_is_named_or_left_out(tmp_path):
    texts = pa.array([b"a", b"\xff", b"c"], pa.binary()).cast(pa.string(), safe=False)
    table = pa.table({"x": [1.0, 2.0, 3.0], "t": texts})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet row 2: column 't' cannot be read"):
        list(read(tmp_path / "a.parquet").blocks(("x", "t")))
    records = read(tmp_path / "a.parquet", skip_bad_rows=True)
    blocks = list(records.blocks(("x", "t")))
    assert [cell for block in blocks for cell in block.cells["x"]] == [1.0, 3.0]
    assert [origin.row for block in blocks for origin in block.origins] == [1, 3]
    assert records.skipped


def test_origins_that_follow_each_other_are_one_run():
    origins = Origins()
    origins.extend(RowRun("a", 1, 1000))
    origins.extend(RowRun("a", 1001, 500))
    origins.extend([Origin("a", 1502, 0), Origin("b", 1, 2), Origin("b", 3, 6), Origin("b", 5, 10), Origin("b", 6, 11)])
    assert len(origins._starts) <= 5
    assert [origins[at].row for at in (0, 999, 1000, 1499, 1500)] == [1, 1000, 1001, 1500, 1502]
    assert list(origins[1501:]) == [("b", 1, 2), ("b", 3, 6), ("b", 5, 10), ("b", 6, 11)]
    assert list(origins[:3]) == list(RowRun("a", 1, 5)[:3])
    assert RowRun("a", 1, 5)[::2] == [Origin("a", 1), Origin("a", 3), Origin("a", 5)]
    with pytest.raises(IndexError):
        origins[1505]
