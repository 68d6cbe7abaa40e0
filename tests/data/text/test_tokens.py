"""Token files: what is written is read; what is damaged, foreign or hostile is refused."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data import ByteVocabulary, CharVocabulary, JamoVocabulary, Vocabulary
from loopcell.data.text import Source, TokenFile, tokenize, write_tokens
from loopcell.errors import DataError, FileFormatError, InputError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def corpora(draw):
    vocab_size = draw(st.sampled_from([1, 2, 255, 256, 257, 65536, 65537, 2**32]))
    document = st.lists(st.integers(0, vocab_size - 1), max_size=8)
    return vocab_size, draw(st.lists(document, max_size=6))


@TMP
@given(corpus=corpora(), block=st.integers(1, 5))
def test_what_is_written_is_read(tmp_path, corpus, block):
    vocab_size, documents = corpus
    pieces = ((np.array(d[at : at + block]) for at in range(0, len(d), block)) for d in documents)
    file = write_tokens(tmp_path / "t", pieces, vocab_size)
    width = 1 if vocab_size <= 256 else 2 if vocab_size <= 65536 else 4
    assert file.tokens.dtype == np.dtype(f"<u{width}")
    assert file.tokens.tolist() == [token for document in documents for token in document]
    assert file.document_starts.tolist() == [sum(map(len, documents[:i])) for i in range(len(documents))]
    assert (len(file), file.vocab_size) == (sum(map(len, documents)), vocab_size)
    file.verify()
    whole = write_tokens(tmp_path / "w", [np.array(d, dtype=np.int64) for d in documents], vocab_size)
    assert (tmp_path / "w").read_bytes() == (tmp_path / "t").read_bytes()
    assert whole.checksum == file.checksum


def by_hand(ids=b"\x01\x02\x00", starts=(0, 2), **changes) -> bytes:
    """A token file spelled out as its documentation says, with fields changed."""
    stored = struct.pack(f"<{len(starts)}q", *starts)
    fields = {
        "magic": b"LOOPTOK\n",
        "version": 1,
        "width": 1,
        "vocab": 5,
        "tokens": len(ids),
        "documents": len(starts),
        "tokens_check": zlib.crc32(ids),
        "starts_check": zlib.crc32(stored),
        "reserved": 0,
    } | changes
    header = struct.pack("<8sHHxxxxQQQIII", *fields.values())
    header = (header + struct.pack("<I", zlib.crc32(header))).ljust(64, b"\0")
    return header + ids + bytes(-len(ids) % 8) + stored


def test_the_layout_is_the_documented_one(tmp_path):
    (tmp_path / "hand").write_bytes(by_hand())
    file = TokenFile.open(tmp_path / "hand")
    assert (file.tokens.tolist(), file.document_starts.tolist(), file.vocab_size) == ([1, 2, 0], [0, 2], 5)
    file.verify()
    write_tokens(tmp_path / "ours", [np.array([1, 2]), np.array([0])], 5)
    assert (tmp_path / "ours").read_bytes() == by_hand()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a loopcell token file"),
        (b"PK\x03\x04 a zip or a checkpoint of somebody else", "is not a loopcell token file"),
        (by_hand()[:30], "is truncated: it ends within its header"),
        (by_hand()[:66], "is truncated: it should have 88 bytes and has 66"),
        (by_hand()[:-1], "is truncated"),
        (by_hand() + b"x", "is damaged: it should have 88 bytes and has 89"),
        (by_hand(version=2), "has token file format 2, this loopcell reads up to 1: upgrade it"),
        (by_hand(version=0), "its header contradicts itself"),
        (by_hand(width=2), "its header contradicts itself"),
        (by_hand(width=0), "its header contradicts itself"),
        (by_hand(vocab=0), "its header contradicts itself"),
        (by_hand(vocab=2**63), "its header contradicts itself"),
        (by_hand(documents=2**61), "is truncated"),
        (by_hand(tokens=2**64 - 1), "is truncated"),
        (by_hand(starts_check=1), "its document starts are not those that were written"),
        (by_hand(starts=(0, 4)), "its document starts contradict its 3 tokens"),
        (by_hand(starts=(1, 2)), "its document starts contradict its 3 tokens"),
        (by_hand(starts=(0, 2, 1)), "its document starts contradict its 3 tokens"),
        (by_hand(starts=(0, -1)), "its document starts contradict its 3 tokens"),
        (by_hand(starts=()), "its document starts contradict its 3 tokens"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path, data, message):
    path = tmp_path / "bad"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=message):
        TokenFile.open(path)


@TMP
@given(place=st.integers(0, 87), flip=st.integers(1, 255))
def test_no_flipped_byte_goes_unseen(tmp_path, place, flip):
    data = bytearray(by_hand())
    data[place] ^= flip
    path = tmp_path / "flipped"
    path.write_bytes(data)
    if 67 <= place < 72:
        return  # the filling between ids and starts, which nobody reads
    with pytest.raises(FileFormatError):
        TokenFile.open(path).verify()


@TMP
@given(data=st.binary(max_size=200), header=st.booleans())
def test_rubbish_is_refused(tmp_path, data, header):
    path = tmp_path / "rubbish"
    path.write_bytes((b"LOOPTOK\n" if header else b"") + data)
    with pytest.raises(FileFormatError):
        TokenFile.open(path)


def test_verify_finds_ids_outside_of_the_vocabulary(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(by_hand(ids=b"\x01\x05\x00"))
    with pytest.raises(FileFormatError, match="token ids outside of its vocabulary of 5"):
        TokenFile.open(path).verify()


def test_verify_finds_an_id_that_was_not_written(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(by_hand().replace(b"\x01\x02\x00\x00\x00", b"\x01\x03\x00\x00\x00"))
    file = TokenFile.open(path)
    assert file.tokens.tolist() == [1, 3, 0]
    with pytest.raises(FileFormatError, match="its tokens are not those that were written"):
        file.verify()


def test_a_missing_file_or_a_folder_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        TokenFile.open(tmp_path / "missing")
    with pytest.raises(DataError, match="is a folder"):
        TokenFile.open(tmp_path)


@pytest.mark.parametrize(
    ("document", "vocab_size", "message"),
    [
        (np.array([0, 5]), 5, "token id 5 is outside of the vocabulary of 5"),
        (np.array([-1]), 5, "token id -1 is outside"),
        (np.array([0.5]), 5, "whole numbers in one dimension"),
        (np.array([[1]]), 5, "whole numbers in one dimension"),
        (np.array([0]), 0, "1 to 2\\*\\*32 tokens, got 0"),
        (np.array([0]), 2**32 + 1, "1 to 2\\*\\*32 tokens"),
    ],
)
def test_wrong_ids_are_not_written_and_the_old_file_stays(tmp_path, document, vocab_size, message):
    path = tmp_path / "t"
    write_tokens(path, [np.array([3])], 5)
    with pytest.raises(InputError, match=message):
        write_tokens(path, [np.array([0]), document], vocab_size)
    assert TokenFile.open(path).tokens.tolist() == [3]
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_tokens_are_mapped_and_read_only(tmp_path):
    file = write_tokens(tmp_path / "t", [np.arange(4)], 5)
    assert isinstance(file.tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        file.tokens[0] = 1


def test_an_open_file_survives_its_replacement(tmp_path):
    file = write_tokens(tmp_path / "t", [np.arange(4)], 5)
    write_tokens(tmp_path / "t", [np.arange(2)], 5)
    assert file.tokens.tolist() == [0, 1, 2, 3]


def test_each_source_is_a_document(tmp_path):
    (tmp_path / "a").write_text("한국")
    (tmp_path / "b").write_text("어")
    vocabulary = JamoVocabulary.build(["x"])
    file = tokenize(tmp_path / "t", [Source(tmp_path / "a"), Source(tmp_path / "b")], vocabulary)
    assert file.document_starts.tolist() == [0, 6]
    assert vocabulary.decode(file.tokens) == "한국어"
    assert vocabulary.decode(file.tokens[6:]) == "어"


def test_a_text_that_cannot_be_encoded_leaves_no_file(tmp_path):
    (tmp_path / "a").write_text("abc")
    (tmp_path / "b").write_text("abd")
    sources = [Source(tmp_path / "a"), Source(tmp_path / "b")]
    with pytest.raises(DataError, match=r"b: the vocabulary has no 'd'"):
        tokenize(tmp_path / "t", sources, CharVocabulary.build(["abc"]))
    assert not (tmp_path / "t").exists()
    file = tokenize(tmp_path / "t", sources, CharVocabulary.build(["abc"]), unknown="replace")
    assert file.tokens.tolist() == [1, 2, 3, 1, 2, 0]


@pytest.mark.parametrize("kind", [ByteVocabulary, CharVocabulary])
def test_memory_does_not_grow_with_the_text(tmp_path, kind: type[Vocabulary]):
    def peak(megabytes: int) -> int:
        path = tmp_path / "text"
        path.write_bytes(b"some words \xea\xb0\x80\n" * (megabytes * 2**20 // 15))
        vocabulary = kind.build_from_sources([Source(path)])
        tracemalloc.start()
        try:
            tokenize(tmp_path / "t", [Source(path)], vocabulary)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(9) < 1.1 * peak(3)
