"""Lines, JSON lines and FASTA: every row, with its number, or a sentence that names it."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import read
from loopcell.data.readers import lines as lines_module
from loopcell.data.readers.lines import lines, lines_of
from loopcell.errors import DataError, UsageError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.sampled_from("ab\n\r\u2028\x85가😀") | st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@TMP
@given(text=TEXT.filter(lambda text: not text.startswith("\ufeff")), block=st.integers(1, 9))
def test_lines_joined_are_the_text_and_only_newlines_cut(write, text, block):
    """But CR alone where there is no newline, or one at the very end; and marks inside of the file go too."""
    path = write("a.txt", text)
    before, lines_module.BLOCK_BYTES = lines_module.BLOCK_BYTES, block
    try:
        found = list(lines(path))
    finally:
        lines_module.BLOCK_BYTES = before
    assert "".join(found).replace("\ufeff", "") == text.replace("\ufeff", "")
    body = text.removesuffix("\n").removesuffix("\r")
    end = "\r" if "\n" not in body and "\r" in body else "\n"
    assert len(found) == body.count(end) + 1
    assert not any(line.startswith("\ufeff") for line in found)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_says_the_encoding_and_goes(write, mark, encoding):
    assert list(lines(write("a.txt", mark + "가\nऊ".encode(encoding)))) == ["가\n", "ऊ"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16", "iso2022_kr"])
@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_lines_before_a_wrong_byte_are_given(encoding, block, monkeypatch):
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", block)
    wrong = "\ud800".encode("utf-16-le", "surrogatepass") if encoding == "utf-16" else b"\xff"
    found = lines_of(io.BytesIO("가\nb\n".encode(encoding) + wrong + b"\nc\n"), "it", encoding)
    assert [next(found), next(found)] == ["가\n", "b\n"]
    with pytest.raises(DataError, match=r"^it is not .* text: byte 0x.. in line 3"):
        next(found)


def test_korean_of_windows_is_recognised_in_the_error_and_read_when_named(write):
    path = write("a.csv", "text,label\n좋아요,1\n싫어요,0\n".encode("cp949"))
    with pytest.raises(DataError) as caught:
        list(read(path))
    assert str(caught.value) == (
        f"{path} is not utf-8 text: byte 0xc1 in line 2; if it is Korean text from Windows, say encoding='cp949'"
    )
    assert read(path, encoding="cp949").column("text")[:].values == ["좋아요", "싫어요"]


def test_other_bytes_are_named_with_their_line(write):
    path = write("a.txt", b"one\ntwo\nthr\xffe\n")
    with pytest.raises(DataError, match=r"a\.txt is not utf-8 text: byte 0xff in line 3; name its encoding"):
        list(read(path, kind="text"))
    with pytest.raises(UsageError, match="there is no text encoding 'utf8849'; utf-8, cp949"):
        read(path, encoding="utf8849")
    with pytest.raises(UsageError, match="there is no text encoding 'hex'"):
        read(path, encoding="hex")


def test_a_line_without_end_is_refused_not_held(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_LONGEST_LINE", str(1 << 20))
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"good\n" + b"a" * (1 << 24)))
    rows = iter(read(path, kind="text"))
    assert next(rows).get("text") == "good"
    with pytest.raises(DataError, match=r"bomb\.txt\.gz line 2 is longer than 1,048,576 characters"):
        next(rows)


def test_lines_are_rows_and_empty_ones_count(write):
    records = list(read(write("a.txt", "one\r\n\n three \nlast")))
    assert [(record.get("text"), str(record.origin).rpartition("/")[2]) for record in records] == [
        ("one", "a.txt row 1"),
        ("", "a.txt row 2"),
        (" three ", "a.txt row 3"),
        ("last", "a.txt row 4"),
    ]
    with pytest.raises(DataError, match="is empty"):
        list(read(write("bom.txt", codecs.BOM_UTF8), kind="text"))


@TMP
@given(rows=st.lists(st.dictionaries(st.text(max_size=3), st.text() | st.integers()), min_size=1, max_size=5))
def test_json_lines_come_back(write, rows):
    found = read(write("a.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n"))
    assert [dict(record.values) for record in found] == rows
    assert found.columns == tuple(rows[0])


def test_json_lines_that_are_not(write):
    good = '{"a": 1}\n\n'
    for bad, reason in {
        "{'a': 2}": r"this is not JSON \(Expecting property name",
        "[1, 2]": r"a row is a JSON object, got '\[1, 2\]'",
        '{"a": 1} {"a": 2}': r"this is not JSON \(Extra data",
        "[" * 100_000: r"this is not JSON \(",
        '{"a": ' + "9" * 5000 + "}": r"this is not JSON \(Exceeds the limit",
    }.items():
        path = write("a.jsonl", good + bad + "\n" + good)
        with pytest.raises(DataError, match=rf"a\.jsonl row 2 \(line 3\): {reason}"):
            list(read(path))
        skipping = read(path, skip_bad_rows=True)
        assert [record.get("a") for record in skipping] == [1, 1]
        assert skipping.skipped.total == 3
        assert "blank lines: 2, first at " in str(skipping.skipped)


def test_a_row_without_the_field_is_named(write):
    path = write("a.jsonl", '{"text": "x", "label": 1}\n{"text": "y"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl row 2: there is no column 'label': there is only text$"):
        read(path).load("text", "label")
    with pytest.raises(DataError, match=r"there is no column 'labels': did you mean label\? there are text, label$"):
        read(path).column("labels")


def test_fasta(write):
    text = ";a comment\n>seq1 some protein\nMKV\nLLA \n\n>seq2\nACGT\r\n>empty\n"
    found = list(read(write("a.fa", text)))
    assert [tuple(record.values.values()) for record in found] == [
        ("seq1", "some protein", "MKVLLA"),
        ("seq2", "", "ACGT"),
        ("empty", "", ""),
    ]
    assert str(found[1].origin).endswith("a.fa row 2 (line 6)")
    with pytest.raises(DataError, match=r"b\.fa line 1 is not FASTA: a sequence begins with a line '>name'"):
        list(read(write("b.fa", "ACGT\n")))
