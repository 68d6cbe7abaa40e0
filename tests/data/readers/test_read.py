"""Kinds told apart, several files, pairs, folders, and columns that remember where they are from."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loopcell.data import Column, Origin, pair, read
from loopcell.data.readers import KINDS, Origins, kind_of, where
from loopcell.errors import DataError, UsageError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", "once upon\na time\n", "text"),
        ("a.txt", "one\ttwo\tthree\nfour\tfive\n", "text"),
        ("a.txt", "one\ttwo\nfour\tfive\n", "tsv"),
        ("train.de", "ein Satz\n", "text"),
        ("x", ">id\nACGT\n", "fasta"),
        ("x", '{"a": 1}\n', "jsonl"),
        ("x", "# c\n@problemName q\n", "ts"),
        ("x", "% c\n@relation q\n", "arff"),
        ("x", "1 2 3 4\n2 3 4 5\n", "ucr"),
        ("x", PNG, "image"),
        ("photo.JPEG", b"\xff\xd8\xff\xe0", "image"),
        ("x", b"RIFF\x00\x01\x02\x03WAVEfmt ", "audio"),
        ("x", b"fLaC....", "audio"),
        ("x", b"PAR1....", "parquet"),
        ("x.CSV", "a,b\n", "csv"),
        ("x.csv.gz", gzip.compress(b"a,b\n", mtime=0), "csv"),
        ("x", gzip.compress(b"a\tb\n", mtime=0), "tsv"),
    ],
)
def test_a_kind_is_known_by_ending_and_first_bytes(write, name, data, kind):
    assert kind_of(write(name, data)) is KINDS[kind]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (
            "a.csv",
            PNG,
            r"ends in \.csv, but its first bytes are those of image; give it its right ending, or",
        ),
        ("a.png", b"PAR1abcd", r"ends in \.png, but its first bytes are those of parquet"),
        ("a.npz", "a,b\n", r"ends in \.npz, but its first bytes are 61 2c 62 0a, not those of npz"),
        ("a.wav", b"RIFF", r"ends in \.wav, but its first bytes are 52 49 46 46, not those of audio"),
    ],
)
def test_an_ending_and_first_bytes_that_contradict_each_other(write, name, data, reason):
    with pytest.raises(DataError, match=reason):
        read(write(name, data))


def test_a_kind_that_there_is_not(write):
    path = write("a.txt", "a")
    with pytest.raises(UsageError, match=r"unknown kind of file 'parket': did you mean parquet\?"):
        read(path, kind="parket")
    with pytest.raises(UsageError, match="unknown kind of file 'zzz': there are csv, tsv"):
        read(path, kind="zzz")


def test_several_files_follow_one_another(write):
    paths = [write("a.csv", "x,y\n1,2\n"), write("b.tsv", "x\ty\n3\t4\n")]
    records = read(paths)
    assert [str(record.origin) for record in records] == [f"{paths[0]} row 1 (line 2)", f"{paths[1]} row 1 (line 2)"]
    assert records.column("y").values == ["2", "4"]
    assert str(records) == f"{paths[0]} and 1 more"
    with pytest.raises(DataError, match=r"c\.csv has other columns than the files before it: it lacks y and it has z"):
        read([*paths, write("c.csv", "x,z\n5,6\n")]).column("y")
    with pytest.raises(DataError, match="there is no file"):
        read([paths[0], "nowhere.csv"])


def test_a_pass_is_made_anew_and_two_may_run_at_once(write):
    records = read(write("a.txt", "one\ntwo\nthree"))
    first, second = iter(records), iter(records)
    assert [next(first).get("text"), next(second).get("text"), next(first).get("text")] == ["one", "one", "two"]


def test_a_file_larger_than_its_share_of_memory_is_read_in_constant_memory(tmp_path):
    """20 MB of rows in a process that may have little more than Python and its libraries take."""
    path = tmp_path / "large.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"text,label\n")
        for _ in range(100):
            file.write(b"".join(b"%d this is a row that is read,%d\n" % (n, n % 2) for n in range(5_000)))
    program = (
        "import resource, sys; from loopcell.data import read\n"
        "records = read(sys.argv[1]); rows = iter(records); next(rows)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(1 + sum(1 for _ in rows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 500_000
    assert kilobytes < 20_000


def test_pairs(write):
    left, right = write("a.de", "eins\nzwei\ndrei\n"), write("a.en", "one\ntwo\nthree\n")
    pairs = pair(read(left), read(right))
    assert pairs.columns == ("source", "target")
    source, target = pairs.load("source", "target")
    assert list(zip(source, target, strict=True))[1] == ("zwei", "two")
    assert str(source.origins[1]) == f"{left} row 2"
    assert pair(read(left), read(right), names=("de", "en")).columns == ("de", "en")


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (1, 2)])
def test_unequal_pairs(write, left, right):
    paths = [write("a.de", "x\n" * left), write("a.en", "y\n" * right)]
    with pytest.raises(DataError) as caught:
        list(pair(read(paths[0]), read(paths[1])))
    assert str(caught.value) == (f"{paths[0]} has {left} rows and {paths[1]} has {right}: row by row they are pairs")


def test_a_side_of_a_pair_has_one_column(write):
    with pytest.raises(DataError, match="has the columns a, b; a side of a pair has one"):
        pair(read(write("a.csv", "a,b\n1,2\n")), read(write("b.txt", "x")))


def test_a_folder_of_class_folders(write, tmp_path):
    for name in ("pos/1.txt", "pos/deep/2.txt", "neg/1.txt"):
        write(f"reviews/{name}", f"text of {name}\nsecond line")
    write("reviews/.DS_Store", b"\0\1")
    write("reviews/pos/.hidden", b"\0\1")
    records = read(tmp_path / "reviews")
    assert records.columns == ("text", "label")
    text, label = records.load("text", "label")
    assert list(zip(text, label, strict=True)) == [
        ("text of neg/1.txt\nsecond line", "neg"),
        ("text of pos/1.txt\nsecond line", "pos"),
        ("text of pos/deep/2.txt\nsecond line", "pos"),
    ]
    assert records.notes == (f"{tmp_path / 'reviews'}: 3 files in 2 class folders",)
    assert str(records.skipped).startswith("2 rows skipped (hidden files: 2, first at")


def test_a_folder_of_images_gives_paths(write, tmp_path):
    paths = [write(f"digits/{name}.png", PNG) for name in ("0/a", "1/b")]
    records = read(tmp_path / "digits")
    assert [(record.get("path"), record.get("label"), str(record.origin)) for record in records] == [
        (paths[0], "0", str(paths[0])),
        (paths[1], "1", str(paths[1])),
    ]


def test_a_folder_of_files_gives_their_rows(write, tmp_path):
    write("names/Korean.txt", "Ahn\nBae\n")
    write("names/Irish.txt.gz", gzip.compress(b"Adam\n"))
    text, label = read(tmp_path / "names").load("text", "file")
    assert list(zip(text, label, strict=True)) == [("Adam", "Irish"), ("Ahn", "Korean"), ("Bae", "Korean")]


def test_folders_that_cannot_be_read(write, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"the folder .*empty has no files"):
        read(tmp_path / "empty")
    write("mixed/a/x.txt", "x")
    write("mixed/README.txt", "x")
    with pytest.raises(DataError, match=r"has both files \(README\.txt\) and folders \(a\): class folders stand alone"):
        read(tmp_path / "mixed")
    write("taken/a.csv", "file,b\n1,2\n")
    with pytest.raises(DataError, match="the file has a column 'file', which its place in the folder gives"):
        list(read(tmp_path / "taken"))
    write("binary/a/x.txt", b"\xff\xfe\xfd")
    with pytest.raises(DataError, match=r"x\.txt"):
        list(read(tmp_path / "binary"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(write):
    path = write("a.csv", "a,b\n")
    path.chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        read(path)


def test_columns_keep_their_origins():
    column = Column(list("abcd"), [Origin("f.csv", row, row + 1) for row in range(1, 5)], "letter")
    assert where(column, 2) == "f.csv row 3 (line 4)"
    assert where(column[1:3], 1) == "f.csv row 3 (line 4)"
    assert where(column.take(np.array([3, 0])), 0) == "f.csv row 4 (line 5)"
    assert list(column.take([3, 0])) == ["d", "a"]
    assert where(list(column), 2) == "X[2]"
    assert column[-1] == "d"
    with pytest.raises(DataError, match="an origin for each value"):
        Column([1, 2], [Origin("f")])


def test_origins_are_a_sequence():
    given = [Origin("a", 1, 2), Origin("b", 1, 0), Origin("a", 2, 3)]
    origins = Origins(given)
    assert list(origins) == given
    assert list(origins[1:]) == given[1:]
    assert origins[-1] == given[-1]
    assert [str(origin) for origin in (*given, Origin("c"))] == ["a row 1 (line 2)", "b row 1", "a row 2 (line 3)", "c"]
    with pytest.raises(IndexError):
        origins[3]
