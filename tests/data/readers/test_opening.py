"""Compressed files are streams: whole, damaged, cut off, or without an end."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
import zstandard

from loopcell.data.readers.opening import compression, head, open_bytes, plain_name
from loopcell.errors import DataError, MissingExtraError

MEGABYTE = 1 << 20


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)  # as the program zstd does


COMPRESSED = {"a.txt": lambda data: data, "a.txt.gz": gzip.compress, "a.txt.zst": zstd}


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def content(path) -> bytes:
    with open_bytes(path) as stream:
        return stream.read()


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("size", [1, 1000, 3 * MEGABYTE + 7])
def test_what_was_written_is_read(write, name, size):
    data = bytes(at * at % 251 for at in range(min(size, 4099))) * (size // 4099 + 1)
    path = write(name, COMPRESSED[name](data[:size]))
    assert content(path) == data[:size]
    assert head(path, 500) == data[: min(size, 500)]
    assert plain_name(path).name == "a.txt"


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_the_bytes_decide_and_parts_follow_one_another(write, compress):
    path = write("a.txt", compress(b"one ") + compress(b"") + compress(b"two"))
    assert compression(path) in {"gzip", "zstd"}
    assert content(path) == b"one two"


@pytest.mark.parametrize(("name", "what"), [("a.gz", "gzip"), ("a.zst", "zstd")])
def test_an_ending_that_promises_too_much(write, name, what):
    with pytest.raises(DataError, match=f"{name} is not {what}: it begins with the bytes 68 65 6c 6c$"):
        content(write(name, b"hello"))


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 1.0])
def test_a_file_that_is_cut_off_is_never_taken_for_whole(write, name, kept):
    import random

    packed = COMPRESSED["a.txt" + name[1:]](random.Random(0).randbytes(300_000))
    cut = packed[: max(5, int(len(packed) * kept) - 3)]
    with pytest.raises(DataError, match=f"{name} is truncated: it ends within its compressed data"):
        content(write(name, cut))


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_damage_is_seen(write, name):
    packed = bytearray(COMPRESSED["a.txt" + name[1:]](bytes(range(256)) * 400))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF
    with pytest.raises(DataError, match=f"{name} is (damaged: its compressed data cannot be read|truncated)"):
        content(write(name, bytes(packed)))


@pytest.mark.parametrize("name", ["bomb.gz", "bomb.zst"])
def test_a_bomb_is_read_as_far_as_it_is_asked_for(write, name):
    """256 megabytes in a few kilobytes; the library's own limit is what one piece of input becomes."""
    path = write(name, COMPRESSED["a.txt" + name[4:]](bytes(256 * MEGABYTE)))
    assert path.stat().st_size < MEGABYTE // 2
    tracemalloc.start()
    try:
        with open_bytes(path) as stream:
            for _ in range(40):
                assert stream.read(MEGABYTE) == bytes(MEGABYTE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * MEGABYTE


def test_a_window_larger_than_memory_should_give_is_refused(write):
    large = zstandard.ZstdCompressionParameters(window_log=29)
    frame = zstandard.ZstdCompressor(compression_params=large).compressobj()
    packed = frame.compress(b"a" * 100) + frame.flush()
    with pytest.raises(DataError, match=r"a\.zst is damaged"):
        content(write("a.zst", packed))


def test_empty_missing_folders(write, tmp_path):
    with pytest.raises(DataError, match=r"e\.txt is empty$"):
        content(write("e.txt", b""))
    with pytest.raises(DataError, match=r"there is no file .*none\.txt"):
        content(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder"):
        content(tmp_path)


def test_zstandard_is_an_extra(write, monkeypatch):
    path = write("a.zst", zstd(b"hello"))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r'Zstandard files need zstandard: pip install "loopcell\[data\]"'):
        content(path)
