"""Lines of a stream, each as soon as it is there."""

from __future__ import annotations

import io
import os
import tracemalloc

import pytest

from loopcell.data.readers.live_lines import live_lines
from loopcell.data.readers.live_rows import LineForm, LiveRows
from loopcell.errors import DataError, UsageError

LONG = "is longer than 100 bytes: this is no text; to allow more, set LOOPCELL_LONGEST_LINE in the environment"


def test_a_line_comes_before_the_next_one_is_written():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        lines = live_lines(stream, "x")
        for text in ("one", "two\r", "\ufeffthree", ""):
            os.write(writing, f"{text}\n".encode())
            assert next(lines).text == text.strip("\r\ufeff")
        os.write(writing, b"half")
        os.close(writing)
        last = next(lines)
        assert (last.number, last.text, last.ended, last.error) == (5, "half", False, None)
        assert next(lines, None) is None


def test_wrong_lines_leave_the_others(monkeypatch):
    monkeypatch.setenv("LOOPCELL_LONGEST_LINE", "100")
    content = b"a\n\xffb\n" + b"9" * 10_000_000 + b"\nc\n" + b"9" * 100 + b"\n" + b"9" * 300
    stream = io.BytesIO(content)
    tracemalloc.start()
    found = list(live_lines(stream, "x"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    assert [line.text for line in found] == ["a", "", "", "c", "9" * 100, ""]
    assert [str(line.error or "") for line in found] == [
        "",
        "x line 2 is not utf-8 text: byte 0xff at place 1",
        f"x line 3 {LONG}",
        "",
        "",
        f"x line 6 {LONG}",
    ]
    assert [line.ended for line in found] == [True] * 5 + [False]


def test_encodings():
    assert next(live_lines(io.BytesIO("값\n".encode("cp949")), "x", "cp949")).text == "값"
    with pytest.raises(UsageError, match="no single byte ends a line: turn it into UTF-8 first"):
        next(live_lines(io.BytesIO(b""), "x", "utf-16"))
    with pytest.raises(UsageError, match="there is no text encoding 'latin-99'"):
        next(live_lines(io.BytesIO(b""), "x", "latin-99"))


def rows_of(lines, needed=("b", "a"), layout=None, **said):
    cut = LiveRows("x", needed, LineForm(**said), layout or {})
    found = [cut.row(number, line) for number, line in enumerate(lines, 1)]
    return [dict(row.values) for row in found if row is not None], cut


def test_rows_by_their_header():
    found, cut = rows_of(["a,b,c", "1,2,3", 'x,"y, z",', "a,b,c", " 1 ,2,3"])
    assert found == [
        {"a": "1", "b": "2", "c": "3"}, {"a": "x", "b": "y, z", "c": ""}, {"a": " 1 ", "b": "2", "c": "3"},
    ]  # fmt: skip
    assert cut.layout == {"kind": "table", "names": ["a", "b", "c"], "delimiter": ","}
    assert rows_of(["1,2,3"], layout=cut.layout)[0] == found[:1]
    assert rows_of(["a,b,c", "1,2,3"], layout=cut.layout)[0] == found[:1]
    assert rows_of(["c;a;b", "3;1;2"], layout=cut.layout, delimiter=";")[0] == found[:1]  # another header goes before
    assert rows_of(["1\t2\t3"], names=("a", "b", "c"), delimiter="\t")[0] == found[:1]
    assert rows_of(["1  2 3"], names=("a", "b", "c"), delimiter="blanks")[0] == found[:1]
    assert rows_of(["1,2,3"], needed=("column_3",))[0] == [{"column_1": "1", "column_2": "2", "column_3": "3"}]
    assert rows_of(["x,y", "1,2"], needed=("column_1", "column_2"))[0] == [{"column_1": "1", "column_2": "2"}]
    assert rows_of(['{"a": 1, "b": [2]}'])[0] == [{"a": 1, "b": [2]}]
    assert rows_of(["2"], needed=("a",))[0] == [{"a": "2"}]


@pytest.mark.parametrize(
    ("lines", "said", "sentence"),
    [
        (["a,c"], {}, "x line 1: there is no column 'b': there are a, c"),
        (["a,b,a"], {}, "x line 1: two columns are called 'a'"),
        (["a,b", "1"], {}, r"x line 2: it has 1 cell and there are 2 columns \(a, b\)"),
        (["1,2,3"], {}, "x line 1 is no header, and has 3 cells where the model reads 2 columns"),
        (["a,b", '1,"2'], {}, 'x line 2: a quote " opens here and never closes'),
        (['{"a": 1'], {}, "x line 1 is not JSON"),
        (['{"a": 1}', "[1]"], {}, r"x line 2 is no object of JSON: \[1\]"),
        (["1"], {"kind": "jsonl"}, "x line 1 is no object of JSON: 1"),
        (['{"a": ' + "[" * 100_000], {}, "x line 1 is not JSON"),
        (["1,2"], {"header": True}, "x line 1: there is no column 'b'"),
    ],
)
def test_lines_that_are_no_rows(lines, said, sentence):
    with pytest.raises((DataError, UsageError), match=sentence):
        rows_of(lines, **said)
