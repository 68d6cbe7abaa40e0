"""Tables of text, with the traps of those that people have."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import Delimited, read
from loopcell.errors import DataError, UsageError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CELL = st.text(st.sampled_from('a",\n\r;가 ') | st.characters(exclude_categories=["Cs"]), max_size=6)


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode())
        return path

    return write


def rows(records) -> list[tuple]:
    return [tuple(record.values.values()) for record in records]


@TMP
@given(cells=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5))
def test_what_python_writes_as_csv_is_read(write, cells):
    file = io.StringIO()
    csv.writer(file).writerows([("first", "second", "third"), *cells])
    records = read(write("a.csv", file.getvalue()))
    assert records.columns == ("first", "second", "third")
    assert rows(records) == cells


def test_in_tsv_a_quotation_mark_is_a_character(write):
    path = write("a.tsv", 'id\tdocument\tlabel\n1\t"좋다" 말만 "\t1\n2\t"\t0\n')
    assert rows(read(path)) == [("1", '"좋다" 말만 "', "1"), ("2", '"', "0")]
    quoted = write("b.tsv", 'id\ttext\n1\t"two\nlines"\n')
    assert rows(read(quoted, kind=Delimited(delimiter="\t", quote='"'))) == [("1", "two\nlines")]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_know_their_lines(write, ending):
    path = write("a.csv", ending.join(["a,b", '1,"x', 'y"', "2,z", "", "3,w", ""]))
    records = read(path)
    assert [str(record.origin).removeprefix(str(path)) for record in records] == [
        " row 1 (line 2)",
        " row 2 (line 4)",
        " row 3 (line 6)",
    ]
    assert str(records.skipped) == f"1 row skipped (blank lines: 1, first at {path} line 5)"
    assert [record.get("b") for record in records] == [f"x{ending}y", "z", "w"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_the_delimiter_is_seen(write, delimiter):
    path = write("a.csv", delimiter.join(["a", '"b,;|;,|"', "c"]) + "\n" + delimiter.join("123") + "\n")
    assert len(read(path).columns) == 3
    assert rows(read(path)) == [("1", "2", "3")]


def test_rows_of_another_length_are_refused_or_counted(write):
    path = write("a.csv", "a,b\n1,2\n1,2,3\n1\n5,6\n")
    with pytest.raises(DataError) as caught:
        list(read(path))
    assert str(caught.value) == f"{path} row 2 (line 3): it has 3 cells and there are 2 columns (a, b)"
    with pytest.raises(DataError, match=r"row 2 \(line 3\): it has 1 cell and there are 2 columns \(a, b\)$"):
        list(read(write("b.csv", "a,b\n1,2\n1\n")))
    skipping = read(path, skip_bad_rows=True)
    assert rows(skipping) == [("1", "2"), ("5", "6")]
    assert str(skipping.skipped) == (
        f"2 rows skipped (rows with another number of cells: 2, first at {path} row 2 (line 3))"
    )
    assert rows(skipping) == [("1", "2"), ("5", "6")]  # a second pass counts anew
    assert skipping.skipped.total == 2


def test_quotes_that_are_open_or_in_the_way(write):
    with pytest.raises(DataError, match=r"row 2 \(line 3\): a quote \" opens here and never closes; where quotes are"):
        list(read(write("a.csv", 'a,b\n1,2\n3,"4\n5,6\n')))
    with pytest.raises(DataError, match=r"row 1 \(line 2\): a quote \" stands where none can .*say quote=''"):
        list(read(write("b.csv", 'a,b\n1,"x" y\n')))
    with pytest.raises(DataError, match=r"row 1 \(line 2\): a quote \" opens here and never closes"):
        list(read(write("c.csv", 'a,b\n1,"' + "x" * 140_000)))
    assert rows(read(write("d.csv", 'a,b\n1,"x" y\n'), kind=Delimited(quote=""))) == [("1", '"x" y')]


@pytest.mark.parametrize(
    ("name", "first", "is_header"),
    [
        ("a.csv", "Temp (°C),what?", True),
        ("a.csv", "1.5,what", False),
        ("a.csv", "same,same", False),
        ("a.txt", "id\tdocument", True),
        ("a.txt", "Go.\tVa !", False),
        ("a.txt", "Hallo Welt\t3", False),
        ("a.data", "EI,  NAME", False),
    ],
)
def test_a_header_is_told_from_a_row_and_said(write, name, first, is_header):
    delimiter = "\t" if "\t" in first else ","
    records = read(write(name, first + "\n" + f"x{delimiter}y\n"))
    expected = tuple(first.split(delimiter)) if is_header else ("column_1", "column_2")
    assert records.columns == expected
    assert len(list(records)) == (1 if is_header else 2)
    if name == "a.data":
        assert records.notes == ()  # the repository's habit, not a guess
    else:
        assert f"the first line is taken as {'the header' if is_header else 'data'}" in records.notes[0]


def test_a_header_that_is_given(write):
    path = write("a.csv", "1,2\n3,4\n")
    assert rows(read(path, kind=Delimited(header=["x", "y"]))) == [("1", "2"), ("3", "4")]
    assert read(path, kind=Delimited(header=["x", "y"])).columns == ("x", "y")
    assert rows(read(path, kind=Delimited(header=True))) == [("3", "4")]
    assert read(path, kind=Delimited(header=False)).columns == ("column_1", "column_2")
    assert rows(read(write("b.csv", "a, b \n 1,2 \n"), kind=Delimited(strip=True))) == [("1", "2")]
    with pytest.raises(DataError, match="has two columns 'a'"):
        list(read(write("c.csv", "a,a\n1,2\n"), kind=Delimited(header=True)))


def test_an_index_column_without_a_name_gets_one(write):
    assert read(write("a.csv", ",x\n0,5\n")).columns == ("column_1", "x")


def test_one_column_may_have_empty_cells(write):
    assert rows(read(write("a.csv", "text\none\n\ntwo\n"))) == [("one",), ("",), ("two",)]


@pytest.mark.parametrize("data", ["\n\na,b\n", "\n"])
def test_a_table_that_begins_with_nothing(write, data):
    with pytest.raises(DataError, match="line 1 is blank; a table begins with its header or its first row"):
        list(read(write("a.csv", data)))


def test_a_header_alone_has_no_rows(write):
    records = read(write("a.csv", "text,label\n"))
    assert records.columns == ("text", "label")
    with pytest.raises(DataError, match=r"a\.csv has no rows$"):
        records.load("text")
    bad = read(write("b.csv", "text,label\nx\n"), skip_bad_rows=True)
    with pytest.raises(DataError, match=r"b\.csv has no rows that can be used: 1 row skipped \(rows with another"):
        bad.load("text")


@pytest.mark.parametrize("options", [{"delimiter": ",,"}, {"delimiter": "\n"}, {"quote": "''"}])
def test_impossible_tables(options):
    with pytest.raises(UsageError, match="is one character"):
        Delimited(**options)
