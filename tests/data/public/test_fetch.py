"""Public data sets: taken from a folder or a server of our own, and never anything but what is expected."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import random
import sys
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

from loopcell.data import PublicFile, PublicSet, fetch, public_sets, read
from loopcell.data.public import checksums, download
from loopcell.errors import DataError, FileWriteError, MissingExtraError, UsageError

TEXT = b"one\ntwo\n"
SHA = hashlib.sha256(TEXT).hexdigest()


def tar_of(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def folder_sha(files: dict[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server with a folder, a cache, and a table with one data set whose files a test names."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            requests.append(self.path)

    requests: list[str] = []
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LOOPCELL_DATA", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served"))
    thread = threading.Thread(target=partial(server.serve_forever, 0.01))
    thread.start()

    class Served:
        folder, cache, address = tmp_path / "served", tmp_path / "cache", f"http://127.0.0.1:{server.server_port}"
        seen = requests

        def offer(self, *files: PublicFile) -> None:
            table = {"toy": PublicSet("toy", "about", "source", "licence", files)}
            monkeypatch.setattr(download, "public_sets", lambda: table)

    yield Served()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_checked_kept_and_not_repeated(served):
    (served.folder / "a.txt").write_bytes(TEXT)
    served.offer(PublicFile("a.txt", SHA, (f"{served.address}/a.txt",)))
    found = fetch("toy")
    assert (list(found), found.licence, found.source) == (["a.txt"], "licence", "source")
    assert found["a.txt"] == served.cache / "data" / "toy" / "a.txt"
    assert found["a.txt"].read_bytes() == TEXT
    assert fetch("toy")["a.txt"] == found["a.txt"]
    assert served.seen == ["/a.txt"]
    with pytest.raises(UsageError, match=r"the data set toy has no file 'b\.txt': there are a\.txt"):
        found["b.txt"]


def test_compressed_files_and_archives_are_held_to_their_content(served):
    wavs = {"1.wav": b"one", "2.wav": b"two"}
    (served.folder / "a.txt.gz").write_bytes(gzip.compress(TEXT))
    (served.folder / "b.zip").write_bytes(zip_of({"b.txt": TEXT, "other": b"x"}))
    hostile = {"top/recordings/../../evil.sh": b"evil", "top/README": b"x", "/recordings/abs.txt": b"x"}
    (served.folder / "c.tar.gz").write_bytes(tar_of({**{f"top/recordings/{n}": d for n, d in wavs.items()}, **hostile}))
    served.offer(
        PublicFile("a.txt", SHA, (f"{served.address}/a.txt.gz",)),
        PublicFile("b.txt", SHA, (f"{served.address}/b.zip",), zipped=True),
        PublicFile("wavs", folder_sha(wavs), (f"{served.address}/c.tar.gz",), unpack=("recordings/", ".wav")),
    )
    for _ in range(2):  # the second time from the cache
        found = fetch("toy")
        assert read(found["a.txt"]).column("text").values == ["one", "two"]
        assert found["b.txt"].read_bytes() == TEXT
        assert {path.name: path.read_bytes() for path in found["wavs"].iterdir()} == wavs
    assert sorted(served.seen) == ["/a.txt.gz", "/b.zip", "/c.tar.gz"]
    assert sorted(path.name for path in (served.cache / "data" / "toy").iterdir()) == ["a.txt.gz", "b.txt", "wavs"]
    assert not list(served.cache.parent.rglob("evil*"))


def test_the_next_address_is_tried_and_every_failure_is_told(served):
    (served.folder / "other.txt").write_bytes(b"something else")
    (served.folder / "good.txt").write_bytes(TEXT)
    addresses = [f"{served.address}/{name}" for name in ("missing.txt", "other.txt", "good.txt")]
    served.offer(PublicFile("a.txt", SHA, tuple(addresses)))
    assert fetch("toy")["a.txt"].read_bytes() == TEXT
    served.offer(PublicFile("b.txt", SHA, (*addresses[:2], "http://127.0.0.1:1/x")))
    with pytest.raises(DataError) as caught:
        fetch("toy")
    other = hashlib.sha256(b"something else").hexdigest()
    assert str(caught.value) == (
        f"the data set toy has no b.txt here, and it could not be downloaded: {addresses[0]} answers 404; "
        f"{addresses[1]} is not the b.txt that is expected: its SHA-256 is {other}, not {SHA}; "
        "http://127.0.0.1:1/x cannot be reached (ConnectionError). Get it yourself, put it into a folder toy, and let "
        "LOOPCELL_DATA name the folder above that one"
    )
    assert sorted(path.name for path in (served.cache / "data" / "toy").iterdir()) == ["a.txt"]


def test_a_folder_of_yours_comes_first_and_is_checked_too(served, tmp_path, monkeypatch):
    wavs = {"1.wav": b"one"}
    mine = tmp_path / "mine" / "toy"
    mine.mkdir(parents=True)
    (mine / "a.txt.gz").write_bytes(gzip.compress(TEXT))
    (mine / "wavs.tar.gz").write_bytes(tar_of({"x/recordings/1.wav": b"one"}))
    monkeypatch.setenv("LOOPCELL_DATA", str(tmp_path / "mine"))
    served.offer(
        PublicFile("a.txt", SHA, ("http://127.0.0.1:1/x",)),
        PublicFile("wavs", folder_sha(wavs), ("http://127.0.0.1:1/x",), unpack=("recordings/", ".wav")),
    )
    found = fetch("toy")
    assert found["a.txt"] == mine / "a.txt.gz"
    assert found["wavs"] == served.cache / "data" / "toy" / "wavs"
    (mine / "a.txt.gz").write_bytes(gzip.compress(b"tampered"))
    with pytest.raises(DataError, match=rf"{mine / 'a.txt.gz'} is not the a.txt that is expected: its SHA-256 is"):
        fetch("toy")


def test_a_cache_that_was_tampered_with(served):
    (served.folder / "a.txt").write_bytes(TEXT)
    served.offer(PublicFile("a.txt", SHA, (f"{served.address}/a.txt",)))
    fetch("toy")["a.txt"].write_bytes(b"tampered")
    with pytest.raises(DataError, match=r"is not the a\.txt that is expected"):
        fetch("toy")


def test_archives_that_are_damaged_or_bombs(served, monkeypatch):
    monkeypatch.setattr(checksums, "LARGEST", 1000)
    bomb = bytes(2000)
    (served.folder / "a.gz").write_bytes(gzip.compress(bomb))
    (served.folder / "a.zip").write_bytes(zip_of({"a": bomb}))
    (served.folder / "a.tar.gz").write_bytes(tar_of({"r/a.wav": bomb}))
    (served.folder / "cut.tar.gz").write_bytes(tar_of({"r/a.wav": random.Random(0).randbytes(900)})[:500])
    (served.folder / "junk").write_bytes(b"junk")
    tar = {"unpack": ("r/", ".wav")}
    for name, options, reason in [
        ("a.gz", {}, "has more than 1,000 bytes"),
        ("a.zip", {"zipped": True}, "has more than 1,000 bytes"),
        ("a.tar.gz", tar, "has more than 1,000 bytes"),
        ("cut.tar.gz", tar, "the archive is damaged"),
        ("junk", tar, "the archive is damaged"),
        ("junk", {"zipped": True}, "the archive has no readable a"),
    ]:
        served.offer(PublicFile("a", SHA, (f"{served.address}/{name}",), **options))
        with pytest.raises(DataError, match=reason):
            fetch("toy")


def test_a_cache_that_cannot_be_written(served, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / "file"))
    served.offer(PublicFile("a.txt", SHA, (f"{served.address}/a.txt",)))
    with pytest.raises(FileWriteError, match=r"the cache .*file.* cannot be written"):
        fetch("toy")


def test_pooch_is_an_extra(served, monkeypatch):
    served.offer(PublicFile("a.txt", SHA, (f"{served.address}/a.txt",)))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r'downloads need pooch: pip install "loopcell\[data\]"'):
        fetch("toy")


def test_a_name_that_there_is_not():
    with pytest.raises(UsageError, match=r"unknown data set 'mnst': did you mean mnist\?"):
        fetch("mnst")
    with pytest.raises(UsageError, match="unknown data set 'zzz': there are tinyshakespeare, nsmc"):
        fetch("zzz")


def test_the_table_is_whole():
    for name, public in public_sets().items():
        assert public.name == name
        assert public.about
        assert public.source
        assert public.licence
        for file in public.files:
            assert len(file.sha256) == 64
            assert int(file.sha256, 16)
            assert file.addresses
            assert all(address.startswith("https://") and "{" not in address for address in file.addresses)
    assert len(public_sets()) == 15


def test_the_page_has_the_table():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "public-data.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {one.about} | {one.licence} |" for name, one in public_sets().items()]
