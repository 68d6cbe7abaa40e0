"""Text comes out of files as it is, or not at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from loopcell.data.text.source import Source, byte_blocks, read_bytes, read_text, text_blocks
from loopcell.errors import DataError, InputError

TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def write(tmp_path):
    def write(data: bytes):
        path = tmp_path / "text.txt"
        path.write_bytes(data)
        return path

    return write


@TMP
@given(text=st.text(min_size=1).filter(lambda text: not text.startswith("\ufeff")), block=st.integers(1, 9))
def test_blocks_joined_are_the_text_whatever_their_size(write, text, block):
    path = write(text.encode())
    assert "".join(text_blocks(Source(path), block)) == text
    assert b"".join(byte_blocks(Source(path), block)) == text.encode()
    assert read_text(path) == text
    assert read_bytes(path) == text.encode()


def test_line_ends_stay_and_a_byte_order_mark_goes(write):
    assert read_text(write(b"\xef\xbb\xbfa\r\nb\rc\n")) == "a\r\nb\rc\n"
    assert read_text(write("a\ufeffb".encode())) == "a\ufeffb"


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_a_byte_order_mark_goes_also_when_it_is_cut(write, block):
    path = write("\ufeff가나다".encode())
    assert "".join(text_blocks(Source(path), block)) == "가나다"


def test_only_the_first_of_two_byte_order_marks_goes(write):
    assert read_text(write("\ufeff\ufeffa".encode())) == "\ufeffa"
    path = write("ab\ufeffc".encode())
    assert "".join(text_blocks(Source(path, 2))) == "\ufeffc"


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "byte", "offset"),
    [
        (b"hello world.\xff more", 0xFF, 12),
        ("안녕".encode() + b"\x80", 0x80, 6),
        ("안녕".encode()[:-1], 0xEB, 3),
        (b"\xef\xbb\xbfab\xfe", 0xFE, 5),
        (b"a\xed\xa0\x80", 0xED, 1),
    ],
)
def test_a_byte_that_is_not_utf8_is_named_with_its_offset(write, data, byte, offset, block):
    path = write(data)
    with pytest.raises(DataError) as caught:
        list(text_blocks(Source(path), block))
    assert str(caught.value) == (
        f"{path} is not UTF-8 text: byte 0x{byte:02x} at offset {offset}; to model raw bytes use --tokens byte"
    )


def test_a_stretch_is_decoded_alone_with_offsets_of_the_file(write):
    path = write("안녕하세요".encode())
    assert "".join(text_blocks(Source(path, 3, 9))) == "녕하"
    assert Source(path, 3, 999).size() == 12
    assert Source(path, 99).size() == 0
    with pytest.raises(DataError, match="byte 0x95 at offset 5;"):
        list(text_blocks(Source(path, 5)))


def test_what_cannot_be_read_is_one_sentence(write, tmp_path):
    cases = {
        tmp_path / "missing": f"there is no file {tmp_path / 'missing'}",
        tmp_path: f"{tmp_path} is a folder; name the files in it",
    }
    for path, message in cases.items():
        with pytest.raises(DataError) as caught:
            read_text(path)
        assert str(caught.value) == message
    with pytest.raises(DataError, match=r"is empty$"):
        read_text(write(b""))
    with pytest.raises(DataError, match=r"is empty from byte 7 on$"):
        list(byte_blocks(Source(write(b"abc"), 7)))
    with pytest.raises(DataError, match="has a byte order mark and no text"):
        read_text(write(b"\xef\xbb\xbf"))
    with pytest.raises(DataError, match="cannot be read"):
        read_text("a\0b")


def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a regular file"):
        read_text(tmp_path / "pipe")


def test_a_stretch_that_runs_backwards_is_refused(tmp_path):
    with pytest.raises(InputError, match="got 5:2"):
        Source(tmp_path, 5, 2)
