"""Files of word2vec: written as others read them, and read as if somebody wanted to harm."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell import WordVectors
from loopcell.errors import DataError, FileFormatError, InputError, LoopcellError
from loopcell.tasks.word_vectors import foreign_files

WORDS = ["the", "영화", "don't", "\U0001f600", "1", "nan"]


@pytest.fixture
def vectors():
    return np.random.default_rng(1).standard_normal((len(WORDS), 5)).astype(np.float32)


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_what_is_written_is_read_back_to_the_bit(name, vectors, tmp_path):
    foreign_files.write(tmp_path / name, WORDS, vectors, binary=None)
    found = foreign_files.read(tmp_path / name)
    assert found.words == WORDS
    assert (found.vectors == vectors).all()
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    assert (foreign_files.read(packed).vectors == vectors).all()


@pytest.mark.parametrize(
    ("name", "start"), [("v.txt.gz", b"\x1f\x8b"), ("v.bin.GZ", b"\x1f\x8b"), ("v.bin.zst", b"\x28\xb5\x2f\xfd")]
)
def test_a_file_is_compressed_as_its_name_says(name, start, vectors, tmp_path):
    foreign_files.write(tmp_path / name, WORDS, vectors, binary=None)
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    assert (foreign_files.read(tmp_path / name).vectors == vectors).all()
    if start == b"\x1f\x8b":
        foreign_files.write(tmp_path / "plain", WORDS, vectors, binary=".bin" in name)
        assert gzip.decompress(content) == (tmp_path / "plain").read_bytes()
    with pytest.raises(InputError):
        foreign_files.write(tmp_path / name, ["a b"], np.ones((1, 2), dtype=np.float32), binary=None)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_ours_and_we_read_gensims(binary, vectors, tmp_path):
    keyed = pytest.importorskip("gensim.models.keyedvectors")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    foreign_files.write(ours, WORDS, vectors, binary=binary)
    read = keyed.KeyedVectors.load_word2vec_format(str(ours), binary=binary)
    assert read.index_to_key == WORDS
    assert (read.vectors == vectors).all()
    read.save_word2vec_format(str(theirs), binary=binary)
    found = foreign_files.read(theirs)
    assert found.words == WORDS
    assert np.allclose(found.vectors, vectors, rtol=1e-6)


def test_the_layout_in_bytes(tmp_path):
    """As word2vec.c writes it: a line's end after each vector."""
    row = b"ab " + struct.pack("<2f", 1.5, -2.0)
    (tmp_path / "v").write_bytes(b"2 2\n" + row + b"\nc " + struct.pack("<2f", 0.0, 10.0) + b"\n")
    found = foreign_files.read(tmp_path / "v")
    assert found.words == ["ab", "c"]
    assert found.vectors.tolist() == [[1.5, -2.0], [0.0, 10.0]]
    foreign_files.write(tmp_path / "w", ["ab"], np.array([[1.5, -2.0]], dtype=np.float32), binary=True)
    assert (tmp_path / "w").read_bytes() == b"1 2\n" + row + b"\n"


def test_vectors_from_elsewhere_are_asked_like_our_own(vectors, tmp_path):
    (tmp_path / "v.txt").write_text("3 2\na 1 0\nb 0.9 0.1\nc 0 1\n", encoding="utf-8")
    model = WordVectors.load_word2vec(tmp_path / "v.txt")
    assert model.lower  # no word of it has a capital letter
    assert model.most_similar("A", count=1)[0][0] == "b"
    model.save(tmp_path / "m.safetensors")
    again = WordVectors.load(tmp_path / "m.safetensors")
    assert (again.vectors_ == model.vectors_).all()
    with pytest.raises(InputError, match="they can be compared, and not scored"):
        again.evaluate(["a b"])
    assert not WordVectors.load_word2vec(tmp_path / "v.txt", lower=False).lower


def test_a_word_that_is_there_twice_is_counted(tmp_path):
    (tmp_path / "v.txt").write_text("3 1\na 1\nb 2\na 3\n", encoding="utf-8")
    found = foreign_files.read(tmp_path / "v.txt")
    assert (found.words, found.vectors.tolist()) == (["a", "b"], [[1.0], [2.0]])
    assert found.notes == [f"1 words of {tmp_path / 'v.txt'} are there twice; the first vector of each counts"]


BINARY = b"2 2\na \x00\x00\x80?\x00\x00\x80?\nb \x00\x00\x80?\x00\x00\x80?\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a,1,2\nb,3,4\n", "does not begin with the number of words .* as those of GloVe do"),
        (b"a 1 2\n\xff 3 4\n", "row 2: its word is not utf-8"),
        (b"3 2\na 1 2\nb 3 x\nc 4\n", "row 2: could not convert .*; so it is with 2 of 3 rows"),
        (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", r"is a model of fastText, not vectors alone: give the \.vec"),
        (b"PK\x03\x04", "is a zip archive: unpack it first"),
        (b"hello\n", "does not begin with the number of words"),
        (b"-1 2\n", "does not begin with"),
        (b"0 2\n", "0 words with 2 numbers each; it cannot be used"),
        (b"2 0\n", "cannot be used"),
        (b"1 99999999\na 1\n", "cannot be used"),
        (b"99999999999999 60000\n", "truncated: it tells of 99,999,999,999,999 words and ends in row 1"),
        (b"2 2\na 1 2\n", "truncated: it tells of 2 words and ends in row 2"),
        (b"2 2\na 1 2\nb 3\n", "row 2 has 1 numbers, and not 2"),
        (b"2 2\na 1 2\nb 3 4 5\n", "row 2 has 3 numbers, and not 2"),
        (b"2 2\na 1 2\nb 3 x\n", "row 2: could not convert string to float"),
        (b"2 2\na 1 2\nb 3 nan\n", "row 2: the vector of 'b' has numbers that are not finite"),
        (b"2 2\na 1 2\nb 3 1e99\n", "row 2: the vector of 'b' has numbers that are not finite"),
        (b"1 2\na 1 2\nb 3 4\n", "goes on after the 1 words"),
        (b"2 2\na 1 2\n\xff 3 4\n", "row 2: its word is not utf-8"),
        (b"2 2\na 1 2\n 3 4\n", "row 2: '' is no word"),
        (BINARY[:-8], "truncated: it tells of 2 words and ends in row 2"),
        (BINARY[:-11], "truncated"),
        (BINARY.replace(b"2 2", b"1 2"), "goes on after"),
        (BINARY.replace(b"?\n", b"\x7f\n"), "row 1: the vector of 'a' has numbers that are not finite"),
        (b"1 2\n" + b"\x00" * 9000, "row 1: a word of more than 4,096 bytes is none"),
    ],
)
def test_a_hostile_file_is_refused_with_its_place(content, complaint, tmp_path):
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=complaint):
        foreign_files.read(path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError):
        foreign_files.read(tmp_path / "none")
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="is empty"):
        foreign_files.read(tmp_path / "empty")


@given(st.binary(max_size=200), st.sampled_from([b"1 1\n", b"2 2\n", b"2 2\na 1 2\n", b"3 1\na \x00\x00\x80?", b""]))
def test_no_bytes_make_it_do_more_than_complain(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("any") / "v"
    path.write_bytes(start + content)
    try:
        found = foreign_files.read(path)
    except LoopcellError:
        return
    assert len(found.words) == len(found.vectors)


@pytest.mark.parametrize("word", ["new york", "", "a\u00a0b"])
def test_a_word_that_the_format_cannot_hold(word, tmp_path):
    with pytest.raises(InputError, match="white space ends a word there"):
        foreign_files.write(tmp_path / "v", [word], np.ones((1, 2), dtype=np.float32), binary=True)
    assert not list(tmp_path.iterdir())


WILD = {
    "white space that is no blank is a part of a word": (
        "4 2\na\u00a0b 1 2 \n\u3000 3 4 \nx\u2028y 5 6 \nc\u0085 7 8 \n".encode(),
        ["a\u00a0b", "\u3000", "x\u2028y", "c\u0085"],
        "",
    ),
    "a word that is cut inside a letter": (
        b"3 2\nab 1 2\n\xed\x95 3 4\nc 5 6\n",
        ["ab", "c"],
        r"1 row of PATH cannot be read and is left out: row 2: its word is not utf-8 (b'\xed\x95')",
    ),
    "rows that lack numbers": (
        b"5 2\nab 1 2\nc 1\nd 3 nan\ne 5 6\nf 7 8\n",
        ["ab", "e", "f"],
        "2 rows of PATH cannot be read and are left out: row 2 has 1 numbers, and not 2",
    ),
    "a mark": (b"\xef\xbb\xbf2 2\nab 1 2\nc 5 6\n", ["ab", "c"], ""),
    "tabs": (b"2\t2\nab\t1\t2\nc\t5 6\n", ["ab", "c"], ""),
    "ends of lines of Windows": (b"2 2\r\nab 1 2\r\nc 5 6\r\n", ["ab", "c"], ""),
    "blanks in a word": (b"3 2\nnew york 1 2\n. . . 3 4\nc 5 6\n", ["new york", ". . .", "c"], ""),
    "no first line": (
        b"the 1 2\n. . . 3 4\n1 5 6\n\n",
        ["the", ". . .", "1"],
        "PATH has no first line with its sizes, as files of GloVe: vectors of 2 numbers, as it seems",
    ),
}


@pytest.mark.parametrize("name", WILD)
@pytest.mark.parametrize("packed", [False, True])
def test_files_as_they_are_in_the_wild(name, packed, tmp_path):
    content, words, note = WILD[name]
    path = tmp_path / ("v.vec.gz" if packed else "v.vec")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = foreign_files.read(path)
    assert found.words == words
    assert found.notes == ([note.replace("PATH", str(path))] if note else [])
    model = WordVectors.load_word2vec(path)
    model.save(tmp_path / "m.safetensors")
    assert WordVectors.load(tmp_path / "m.safetensors").words_ == words


def test_rows_of_the_binary_format_that_cannot_be_read_are_counted(tmp_path):
    rows = [b"a\xc2\xa0b ", b"\xed\x95 ", b"c "]
    content = b"3 2\n" + b"\n".join(word + struct.pack("<2f", 1.5, at) for at, word in enumerate(rows)) + b"\n"
    (tmp_path / "v.bin").write_bytes(content)
    found = foreign_files.read(tmp_path / "v.bin")
    assert found.words == ["a\u00a0b", "c"]
    assert found.vectors.tolist() == [[1.5, 0.0], [1.5, 2.0]]
    assert found.notes[0].startswith(f"1 row of {tmp_path / 'v.bin'} cannot be read and is left out: row 2: its word")


def test_a_long_vector_after_a_word_with_blanks_is_text(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    rows = [f"{word} {' '.join(map(str, row))}" for word, row in zip(("new york", "b"), numbers.tolist(), strict=True)]
    for header in ("2 300\n", ""):
        (tmp_path / "v.vec").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
        if header:
            assert foreign_files.read(tmp_path / "v.vec").words == ["new york", "b"]
    assert np.allclose(foreign_files.read(tmp_path / "v.vec").vectors[-1], numbers[-1])
