"""Tables as other programs write them: read rightly, or refused in one sentence."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import Delimited, read
from loopcell.errors import DataError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def rows(records) -> list[tuple]:
    return [tuple(record.values.values()) for record in records]


# --- headers ------------------------------------------------------------------------------------------------------

NUMERALS = "date,0,1,OT\n2016-07-01,5.8,2.0,30.5\n2016-07-02,5.7,2.1,27.8\n"


def test_a_column_that_is_named_settles_the_header(write):
    path = write("ett.csv", NUMERALS)
    assert read(path).columns == ("column_1", "column_2", "column_3", "column_4")
    assert read(path).notes[0].endswith("(date, 0, 1, OT); header=True takes it as the header")
    records = read(path)
    assert records.column("OT").values == ["30.5", "27.8"]
    assert records.columns == ("date", "0", "1", "OT")
    taken = "the first line is taken as the header (date, 0, 1, OT), for it has the column 'OT'; header=False takes it"
    assert records.notes == (f"{path}: {taken} as data",)
    records = read(path)
    records.expect(["OT"])
    assert len(list(records)) == 2
    with pytest.raises(DataError, match="there is no column 'OTT'"):
        read(path).column("OTT")


def test_a_numbered_column_settles_that_there_is_none(write):
    path = write("names.csv", "ann,bob\ncarl,dora\n")
    assert read(path).columns == ("ann", "bob")
    assert read(path).column("column_2").values == ["bob", "dora"]
    index = write("pandas.csv", ",x\n0,5\n")  # an index without a name is column_1 of a table with a header
    assert read(index).column("column_1").values == ["0"]


@pytest.mark.parametrize("header", [True, False])
def test_a_header_that_is_said_is_no_guess(write, header):
    for name, data in (("a.csv", NUMERALS), ("b.csv", "x,y\n1,2\n"), ("c.tsv", "x\ty\n1\t2\n")):
        records = read(write(name, data), header=header)
        assert len(list(records)) == data.count("\n") - header
        assert records.notes == ()


def test_files_that_were_joined(write):
    mark = codecs.BOM_UTF8
    path = write("joined.csv", mark + b"a,b\n1,2\n" + mark + b"a,b\n3,4\n")
    records = read(path)
    assert rows(records) == [("1", "2"), ("3", "4")]
    assert str(records.skipped) == f"1 row skipped (lines that repeat the header: 1, first at {path} line 3)"
    assert rows(read(write("j.jsonl", mark + b'{"a": 1}\n' + mark + b'{"a": 2}\n'))) == [(1,), (2,)]
    assert rows(read(write("j.txt", mark + b"one\n" + mark + b"two\n"))) == [("one",), ("two",)]
    index = read(write("i.csv", ",x\n0,5\n,x\n1,6\n"))
    assert rows(index) == [("0", "5"), ("1", "6")]


# --- what stands between cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_line_that_excel_reads(write, first, end):
    path = write("x.csv", end.join([first, "a;b", "1;2,5", '"x;y";3', ""]))
    records = read(path)
    assert rows(records) == [("1", "2,5"), ("x;y", "3")]
    assert str(next(iter(records)).origin).endswith("x.csv row 1 (line 3)")
    assert rows(read(path, delimiter=";")) == [("1", "2,5"), ("x;y", "3")]


def test_blanks_between_cells(write):
    path = write("b.csv", "a b  c\n1 2   3\n 4  5 6 \n")
    records = read(path)
    assert rows(records) == [("1", "2", "3"), ("4", "5", "6")]
    assert records.notes[1] == f"{path}: cells are separated by blanks, as it seems; delimiter=... says otherwise"
    assert rows(read(write("h.data", " 0.1  18.0\n 0.2   7.0\n"))) == [("0.1", "18.0"), ("0.2", "7.0")]
    quoted = write("q.txt", 'name  n\n"two  words"   3\n\tx 4\n')
    assert rows(read(quoted, delimiter="blanks")) == [("two  words", "3"), ("x", "4")]
    assert read(write("t.csv", "some text\nhello there\nyou two\n")).columns == ("some text",)
    with pytest.raises(DataError, match=r"row 2 \(line 3\): it has 1 cell and there are 2 columns"):
        list(read(write("s.txt", "a b\n1 2\n3\n"), delimiter="blanks"))


def test_a_delimiter_that_is_guessed_is_said(write):
    path = write("s.csv", "a;b\n1;2\n")
    assert read(path).notes[1] == f"{path}: cells are separated by ';', as it seems; delimiter=... says otherwise"
    records = read(path)
    records.load("b")  # by its name the column was found, so the delimiter is right
    assert not records.notes
    assert len(read(write("c.csv", "a,b\n1,2\n")).notes) == 1


# --- quotes, long cells, ends of lines -----------------------------------------------------------------------------


def test_tables_of_tabs_with_quotes_of_pandas(write):
    pandas = pytest.importorskip("pandas")
    given = pandas.DataFrame({"text": ['say "hi"', "plain", "x\ry"], "y": [1, 2, 3]})
    path = write("p.tsv", given.to_csv(sep="\t", index=False))
    assert read(path).notes[1] == (
        f'{path}: cells begin and end with quotes, which stay a part of them ("say ""hi"""); quote=\'"\' takes them off'
    )
    records = read(path, quote='"')
    assert rows(records) == [('say "hi"', "1"), ("plain", "2"), ("x\ry", "3")]
    assert len(records.notes) == 1


def test_cells_of_any_length(write):
    dna = "ACGT" * 50_000
    limit = csv.field_size_limit()
    path = write("dna.csv", f'seq,label\n{dna},1\n"{dna}",2\n"a ""{dna}""",3\n')
    assert rows(read(path)) == [(dna, "1"), (dna, "2"), (f'a "{dna}"', "3")]
    assert csv.field_size_limit() == limit  # it belongs to the whole process


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.csv.gz"])
@pytest.mark.parametrize("last", ["", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lines_that_end_in_cr_alone(write, name, last, encoding):
    text = "a,b\r1,2\r3,글" + last
    data = text.replace(",", "\t" if "tsv" in name else ",").encode(encoding)
    path = write(name, gzip.compress(data) if name.endswith("gz") else data)
    records = read(path)
    assert rows(records) == [("1", "2"), ("3", "글")]
    assert f"{path}: its lines end in CR alone, as on old Macs, as it seems" in records.notes


def test_texts_whose_lines_end_in_cr_alone(write):
    assert rows(read(write("c.txt", "one\r\rtwo\r"))) == [("one",), ("",), ("two",)]
    assert rows(read(write("c.jsonl", '{"a": 1}\r{"a": 2}\r'))) == [(1,), (2,)]
    assert rows(read(write("c.fa", ">x\rAC\rGT\r"))) == [("x", "", "ACGT")]


CELL = st.text(st.sampled_from("a\r ") | st.characters(codec="utf-8", exclude_characters='",\n'), max_size=5)


@TMP
@given(cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_a_cr_inside_a_cell_that_nothing_encloses(write, cells):
    """As pandas leaves it; one at the end of a line belongs to the end."""
    body = "".join(f"{one},{other}x\n" for one, other in cells)
    found = rows(read(write("p.csv", "first,second\n" + body), kind=Delimited(header=True)))
    assert found == [(one, other + "x") for one, other in cells]


@TMP
@given(cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4))
def test_a_cr_beside_quotes(write, cells):
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("first", "second"), *cells])
    body = file.getvalue() + "".join(f'"q",{one}x\n' for one, _ in cells)
    found = rows(read(write("p.csv", body), kind=Delimited(header=True)))
    assert found == [*cells, *(("q", one + "x") for one, _ in cells)]


def test_mixed_ends_and_empty_lines(write):
    path = write("m.csv", "a,b\r\n1,2\n3,4\r\n\r\n\n5,6\r\r\n")
    records = read(path)
    assert rows(records) == [("1", "2"), ("3", "4"), ("5", "6")]
    assert records.skipped.total == 2


# --- UTF-16 that does not say so --------------------------------------------------------------------------------------

TEXTS = {"english": "text,label\nhello,1\n", "korean": "글,label\n안녕하세요 세계,1\n"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["u.csv", "u.txt", "u.jsonl"])
def test_utf_16_without_a_mark_is_recognised(write, text, encoding, name):
    path = write(name, text.encode(encoding))
    for said in ("utf-8", "cp949", "latin-1") if text.isascii() else ("utf-8", "ascii"):
        with pytest.raises(DataError) as caught:
            list(read(path, encoding=said))
        assert str(caught.value) == f"{path} is not {said} text: it looks like UTF-16, say encoding={encoding!r}"
    if name == "u.csv":
        assert len(list(read(path, encoding=encoding))) == 1


def test_zeros_of_other_files_are_not_utf_16(write):
    assert rows(read(write("z.txt", "a\0b\nsome more text\n"))) == [("a\0b",), ("some more text",)]


def test_a_lone_cr_that_may_end_a_line_is_named(write):
    with pytest.raises(DataError, match=r"row 1 \(line 2\): it has 3 cells .*; there is a lone CR in it, which may be"):
        list(read(write("m.csv", "a,b\n1,2\r3,4\n5,6\n")))


def test_a_file_says_more_of_its_cells_than_its_ending(write):
    assert rows(read(write("s.tsv", "sep=;\na;b\n1;2\n"))) == [("1", "2")]
    assert rows(read(write("s.csv", "sep=\t\na\tb\n1\t2\n"))) == [("1", "2")]
    assert read(write("s.txt", "sep=x\nhello\n")).columns == ("text",)


def test_the_habit_of_a_repository_is_no_rule(write):
    path = write("a.data", "x, y\n1, 2\n")
    assert read(path).columns == ("column_1", "column_2")
    assert read(path).column("y").values == ["2"]
    assert read(path, header=True).columns == ("x", "y")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_end_in_cr_alone_but_the_last(write, end):
    """As an editor or a shell adds a newline at the end of a file: no line of it is lost in another."""
    said = "its lines end in CR alone, as on old Macs, as it seems"
    texts = write("c.txt", f"one\r\rtwo\rthree{end}")
    assert rows(read(texts)) == [("one",), ("",), ("two",), ("three",)]
    assert read(texts).notes == (f"{texts}: {said}",)
    assert rows(read(write("d.csv", f"a,b\r1,2\r3,4{end}"))) == [("1", "2"), ("3", "4")]
    assert rows(read(write("one.txt", f"one{end}"))) == [("one",)]


def test_a_cr_inside_of_lines_is_said(write):
    path = write("c.txt", "10 %\r20 %\ndone\n")
    records = read(path)
    assert rows(records) == [("10 %\r20 %",), ("done",)]
    assert records.notes == (f"{path}: CR stands alone inside of lines: it is read as a part of them, and ends none",)
    assert read(write("d.txt", "one\r\ntwo\r\r\n")).notes == ()
