"""What a text is taken for by its first lines, that it is said, and files of other programs."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import pytest

from loopcell.data import pair, read
from loopcell.data.readers import kind_of
from loopcell.errors import DataError, UsageError


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


DNA = ">one\nACGT\nGGCA\n>two\nTTAA\n"
NUMBERS = "1 0.5 2\n2 1.5 3\n"


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.TXT", "a.log"])
@pytest.mark.parametrize("data", [DNA, NUMBERS, "> a reply\nhello\n", "1\n22\n333\n", ">\n>\n"])
def test_with_a_text_ending_lines_are_lines(write, name, data):
    records = read(write(name, data))
    assert [record.get("text") for record in records] == data.splitlines()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (DNA, "fasta"),
        (">sp|P1 a protein\nMKVLLA*\n", "fasta"),
        (">x\nacgtnn\n", "fasta"),
        (";old comment\n>x\nACGT\n", "fasta"),
        ("> a reply\nhello\n", "text"),
        (">quoted\nhello there\n", "text"),
        (">quoted\nHello\n", "text"),
        (">yes\nNO\n", "text"),
        (">a title\n>and another\n", "text"),
        (">x\nACGT\n\nand so on\n", "text"),
        (NUMBERS, "ucr"),
        ("1.5 2 3\n2.5 3 4\n", "text"),
        ("1 2\n3 4\n", "text"),
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ("{curly}\n", "text"),
        ('{"a": 1}\nnot like it\n', "text"),
        ("sep=;\na;b\n", "csv"),
    ],
)
def test_a_guess_needs_more_than_the_first_line(write, data, kind):
    assert kind_of(write("unnamed", data)).name == kind


def test_a_guess_is_said_with_what_settles_it(write):
    path = write("x", DNA)
    (note,) = read(path).notes
    assert note == (
        f"{path} is read as fasta, for its titles after > and the letters between them; kind='text' reads every line "
        "as a text"
    )
    assert read(path, kind="fasta").notes == ()
    (note,) = read(write("y", NUMBERS)).notes
    assert "is read as ucr (a label, then a series)" in note
    assert note.endswith("kind='text' reads every line as a text, kind='csv' a table")
    (note,) = read(write("y.txt", NUMBERS)).notes
    assert "is read as text, one row per line, and may be rows of numbers; kind='ucr' reads them as such" in note
    (note,) = read(write("z.txt", DNA)).notes
    assert "may be sequences in FASTA; kind='fasta'" in note
    header, kind = read(write("t.txt", "id\tdocument\n1\tx\n")).notes
    assert "is read as tsv, for its lines with equally many tabs; kind='text'" in kind
    assert header.endswith("the first line is taken as the header (id, document); header=False takes it as data")
    assert read(write("plain.txt", "one\ntwo\n")).notes == ()


@pytest.mark.parametrize("name", ["Adiac_TRAIN", "Adiac_TEST.txt", "Adiac_TRAIN.tsv"])
def test_the_names_of_the_archive(write, name):
    path = write(name, "1\t0.5\t2\n2\t1.5\t3\n")
    assert kind_of(path).name == "ucr"
    assert "is read as ucr" in read(path).notes[0]


def test_class_folders_hold_texts_whatever_they_look_like(write, tmp_path):
    for name, data in {"a/1.txt": DNA, "a/2": NUMBERS, "b/3.md": "> x\ny", "b/4": DNA, "b/5": "p\tq\nr\ts"}.items():
        write(f"set/{name}", data)
    text, label = read(tmp_path / "set").load("text", "label")
    assert list(text) == [DNA.rstrip("\n") + "", NUMBERS.rstrip("\n"), "> x\ny", DNA.rstrip("\n"), "p\tq\nr\ts"]
    assert list(label) == ["a", "a", "b", "b", "b"]
    ids = read(tmp_path / "set" / "b" / "4", kind="fasta").column("id")
    assert list(ids) == ["one", "two"]


def test_files_that_belong_together_are_of_one_kind(write, tmp_path):
    write("folder/a.txt", "x\ty\nz\tw\n")
    assert read(tmp_path / "folder").columns == ("x", "y", "file")
    other = write("folder/b.txt", "no tabs here\n")
    assert read(tmp_path / "folder").columns == ("text", "file")
    assert read([tmp_path / "folder" / "a.txt", other]).columns == ("text",)


def test_what_is_said_of_tables(write):
    path = write("t.txt", "a,b\n1,2\n")
    assert read(path).columns == ("text",)
    assert read(path, header=True).columns == ("a", "b")
    assert len(list(read(path, delimiter=",", header=False))) == 2
    assert read(write("n.txt", NUMBERS), delimiter="blanks").columns == ("column_1", "column_2", "column_3")
    with pytest.raises(
        UsageError, match=r"q\.jsonl is jsonl, which is no kind of table with a header: leave out header="
    ):
        read(write("q.jsonl", "{}\n"), header=False)
    with pytest.raises(UsageError, match="text is no kind of table with delimiters: leave out delimiter=';'"):
        read(path, kind="text", delimiter=";")


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.xlsx", b"PK\x03\x04", "is a spreadsheet, which is not read: save its sheet as CSV"),
        ("a.pkl", b"\x80\x04", "is a pickle, which could run code and is never opened"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is HDF5, which is not read"),
        ("a", b"\x89HDF\r\n\x1a\n", "is HDF5, which is not read"),
        ("a.zip", b"PK\x03\x04", "is an archive, which is not read: unpack it first"),
        ("a.json", b'[{"a": 1}]', r"is JSON, but not one object per line; write it so \(jq -c '\.\[\]'\), as \.jsonl"),
        ("a.json", b'{\n"a": 1\n}\n', "is JSON, but not one object per line"),
        ("a.mat", b"MATLAB 7.3 MAT-file" + bytes(200), "is of MATLAB's version 7.3"),
        ("a.mat", b"a,b\n", r"ends in \.mat, but its first bytes are 61 2c 62 0a, not those of mat"),
    ],
)
def test_files_of_other_programs_are_refused_in_a_sentence(write, name, data, sentence):
    with pytest.raises(DataError, match=sentence):
        read(write(name, data)).columns  # noqa: B018 # it is read where it is asked for


def test_json_of_an_object_a_line_is_read(write):
    assert read(write("a.json", '{"a": 1}\n{"a": 2}\n')).column("a").values == [1, 2]


def test_a_text_of_utf_16_is_looked_at_as_such(write):
    path = write("a.txt", codecs.BOM_UTF16_LE + "글\tb\n안\t2\n".encode("utf-16-le"))
    assert read(path).column("글").values == ["안"]


def test_both_sides_of_a_pair_are_not_looked_at(write):
    """As the sides of a translation are opened: lines of numbers are texts there."""
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.from_files.examples import load_examples

    paths = (write("a.src", NUMBERS), write("a.tgt", DNA[: DNA.index("GGCA")]))
    loaded = load_examples(FileExamples(files=paths, paired=True))
    assert list(loaded.X) == NUMBERS.splitlines()
    with pytest.raises(DataError, match="a side of a pair has one"):
        pair(*(read(path) for path in paths))


def test_a_mat_file_of_version_5(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    drawn = np.random.default_rng(0).normal(size=(4, 6, 2))
    cells = np.empty(4, dtype=object)
    cells[:] = [np.arange(length + 1.0)[:, None] for length in range(4)]
    content = {
        "X": drawn,
        "y": np.arange(4),
        "names": np.array(["a", "bb", "c", "d"], dtype=object),
        "cells": cells,
        "fs": 100.0,
        "facts": {"by": "hand"},
    }
    path = tmp_path / "d.mat"
    for compressed in (False, True):
        scipy_io.savemat(path, content, do_compression=compressed)
        records = read(path)
        assert records.columns == ("X", "y", "names", "cells")
        assert records.notes == (f"{path}: left out, for having no rows: fs, facts",)
        rows = list(records)
        assert np.array_equal([row.get("X") for row in rows], drawn)
        assert [row.get("y") for row in rows] == [0, 1, 2, 3]
        assert [row.get("names") for row in rows] == ["a", "bb", "c", "d"]
        assert [row.get("cells").tolist() for row in rows] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    scipy_io.savemat(path, {"X": drawn, "y": np.arange(5)})
    with pytest.raises(DataError, match="X has 4 rows and y has 5: they are to be equal"):
        list(read(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as MATLAB's format"):
        list(read(path))


def test_json_in_class_folders_is_json(write, tmp_path):
    write("set/a/1.json", '{"text": "one"}')
    write("set/b/2.json", '{"text": "two"}')
    assert list(read(tmp_path / "set").column("text")) == ["one", "two"]
