"""Patterns of names, folders of partitions, files that belong together: which are read, in which order, as what."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from loopcell.data import read, series_from
from loopcell.errors import DataError

FRAME = pd.DataFrame({"unit": [10] * 3 + [2] * 3, "t": [1, 2, 3] * 2, "y": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]})


@pytest.fixture
def tables(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / f"part-{number}.csv").write_text(f"x,y\n{number},0\n", encoding="utf-8")
    (tmp_path / ".hidden.csv").write_text("x,y\nhidden,0\n", encoding="utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "part-3.csv").write_text("x,y\n3,0\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["1", "10", "2"]),  # in the order of a shell
        ("part-?.csv", ["1", "2"]),
        ("part-[1-9].csv", ["1", "2"]),
        ("**/*.csv", ["3", "1", "10", "2"]),
        ("*/part-*.csv", ["3"]),
        (".*.csv", ["hidden"]),
    ],
)
def test_a_pattern_is_its_files(tables, pattern, expected):
    assert read(tables / pattern).column("x").values == expected


def test_a_relative_pattern_and_several(tables, monkeypatch):
    monkeypatch.chdir(tables)
    assert read("part-*.csv").column("x").values == ["1", "10", "2"]
    assert read(["deep/*", "part-1*.csv"]).column("x").values == ["3", "1", "10"]


def test_a_name_with_the_signs_of_a_pattern_is_a_name(tables):
    (tables / "part-[1].csv").write_text("x,y\nits own,0\n", encoding="utf-8")
    assert read(tables / "part-[1].csv").column("x").values == ["its own"]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nothing*.csv", "no file matches {0}/nothing*.csv"),
        ("nowhere/*.csv", "no file matches {0}/nowhere/*.csv"),
        ("d*p", "no file matches {0}/d*p; it matches 1 folders, whose files are {0}/d*p/*"),
        ("a**b.csv", "{0}/a**b.csv: Invalid pattern"),
    ],
)
def test_patterns_of_nothing(tables, pattern, reason):
    with pytest.raises(DataError) as caught:
        read(tables / pattern)
    assert str(caught.value).startswith(reason.format(tables))


def test_links_that_go_round_are_not_followed(tables):
    (tables / "deep" / "round").symlink_to(tables, target_is_directory=True)
    (tables / "self").symlink_to(tables / "self")
    assert read(tables / "**" / "*.csv").column("x").values == ["3", "1", "10", "2"]
    (tables / "only").mkdir()
    (tables / "only" / "a.csv").write_text("x\n1\n2\n", encoding="utf-8")
    (tables / "only" / "loop").symlink_to(tables / "only", target_is_directory=True)
    assert read(tables / "only").column("x").values == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n1\n", "it lacks y"),
        ("x,y,z\n1,2,3\n", "it has z besides"),
        ("x,z\n1,2\n", "it lacks y and it has z besides"),
    ],
)
def test_files_of_a_table_have_the_same_columns(tables, text, said):
    (tables / "part-5.csv").write_text(text, encoding="utf-8")
    for source in (tables / "*.csv", [tables / "part-1.csv", tables / "part-5.csv"]):
        with pytest.raises(DataError) as caught:
            read(source).column("x")
        assert str(caught.value) == f"{tables / 'part-5.csv'} has other columns than the files before it: {said}"
    (tables / "part-5.csv").write_text("y,x\n0,5\n", encoding="utf-8")  # another order is none
    assert read(tables / "part-?.csv").column("x").values == ["1", "2", "5"]


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_folders_of_partitions_have_their_names_as_columns(tmp_path, form):
    folder = tmp_path / "table"
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    by_unit = pa.dataset.partitioning(pa.schema([("unit", pa.int64())]), flavor="hive")
    pa.dataset.write_dataset(table, folder, format=form, partitioning=by_unit)
    (folder / "_SUCCESS").touch()
    records = read(folder)
    assert records.columns == ("t", "y", "unit")
    found = [(record.get("unit"), int(record.get("t")), float(record.get("y"))) for record in records]
    expected = FRAME.sort_values(["unit", "t"], kind="stable")  # units in the order of numbers: 2 before 10
    assert found == [(str(unit), t, y) for unit, t, y in expected.itertuples(index=False)]
    assert records.skipped.total == 1
    assert "whose folders give the columns unit" in records.notes[0]


def test_partitions_tell_series_apart_and_are_no_targets(tmp_path):
    pl.DataFrame(FRAME).write_parquet(tmp_path / "table", partition_by=["unit"], mkdir=True)
    found = series_from(tmp_path / "table", target="all", time="t", series="unit")
    assert [(one.name, one.target_names, one.target[:, 0].tolist()) for one in found] == [
        ("2", ("y",), [3.5, 4.5, 5.5]),
        ("10", ("y",), [0.5, 1.5, 2.5]),
    ]


def test_partitions_may_be_nested_written_in_escapes_and_empty(tmp_path):
    for place, y in {"a=x%2Fy/b=1": 1, "a=x%2Fy/b=2": 2, "a=__HIVE_DEFAULT_PARTITION__/b=1": 3}.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "0.csv").write_text(f"y\n{y}\n", encoding="utf-8")
    rows = [dict(record.values) for record in read(tmp_path)]
    assert rows == [
        {"y": "3", "a": None, "b": "1"},
        {"y": "1", "a": "x/y", "b": "1"},
        {"y": "2", "a": "x/y", "b": "2"},
    ]


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (["u=1", "v=2"], "the folders of {0}/u=1/0.csv give the columns u, and those of {0}/v=2/0.csv v"),
        (["u=1", "u=2/v=3"], "the folders of {0}/u=1/0.csv give the columns u, and those of {0}/u=2/v=3/0.csv u, v"),
        (["u=1", "w"], "the folders of {0}/u=1/0.csv give the columns u, and those of {0}/w/0.csv none"),
    ],
)
def test_partitions_that_do_not_belong_together(tmp_path, places, reason):
    for place in places:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "0.csv").write_text("y\n1\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == reason.format(tmp_path)


def test_a_partition_that_a_file_has_as_a_column_too(tmp_path):
    (tmp_path / "u=1").mkdir()
    (tmp_path / "u=1" / "0.csv").write_text("u,y\n1,1\n", encoding="utf-8")  # as polars writes it
    assert read(tmp_path).columns == ("u", "y")
    assert [dict(record.values) for record in read(tmp_path)] == [{"u": "1", "y": "1"}]
    (tmp_path / "u=1" / "0.csv").write_text("u,y\n2,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="the file has a column 'u', which its place in the folder gives"):
        read(tmp_path).column("y")


def test_a_folder_of_very_many_files_is_read(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number:05d}.csv").write_text(f"x\n{number}\n", encoding="utf-8")
    assert read(tmp_path / "*.csv").column("x").values == [str(number) for number in range(3000)]
