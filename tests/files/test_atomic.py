"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from loopcell.errors import DataError, FileWriteError
from loopcell.files import atomic_write, write_in_parts


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("old")
    return path


def only(path: Path) -> str:
    """The file's content, when nothing else is left in its folder."""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return path.read_text()


def test_replaces_a_file_and_leaves_nothing_else(old):
    with atomic_write(old) as temporary:
        assert temporary.parent == old.parent
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert only(old) == "new"


def test_a_new_file_gets_the_permissions_that_open_gives(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def in_python(temporary):
    temporary.write_bytes(b"new")


def in_rust(temporary):
    save_file({"x": np.zeros(3)}, temporary)


def in_another_place(temporary):
    """As a library may that writes whole files itself."""
    other = temporary.with_name("other")
    other.touch(mode=0o600)
    other.replace(temporary)


WRITERS = [in_python, in_rust, in_another_place]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("writer", [atomic_write, write_in_parts])
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, write, writer):
    with writer(tmp_path / "a") as temporary:
        write(temporary)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("writer", [atomic_write, write_in_parts])
@pytest.mark.parametrize("mode", [0o644, 0o600, 0o664, 0o640, 0o755, 0o444])
def test_a_file_that_is_written_over_keeps_its_permissions(old, umask, write, writer, mode):
    old.chmod(mode)
    with writer(old) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == mode | 0o600  # also of a part
        write(temporary)
    assert stat.S_IMODE(old.stat().st_mode) == mode


def test_permissions_that_are_asked_for(old, umask):
    old.chmod(0o600)
    with atomic_write(old, mode=0o644) as temporary:
        in_python(temporary)
    assert stat.S_IMODE(old.stat().st_mode) == 0o644


def test_a_link_is_followed(old, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(old)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert old.read_text() == "new"


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyboardInterrupt(), DataError("x")])
def test_what_the_block_raises_passes_and_the_old_file_stays(old, error):
    def write_half():
        with atomic_write(old) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert only(old) == "old"


def test_an_error_about_another_file_is_not_called_a_failed_write(old, tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(old):
        (tmp_path / "missing").read_text()
    assert only(old) == "old"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_failed_write_is_one_sentence(old, monkeypatch, number, reason):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileWriteError) as caught, atomic_write(old) as temporary:
        temporary.write_text("new")
    assert str(caught.value) == f"cannot write {old}: {reason}; whatever had that name before is unchanged"
    assert caught.value.errno == number
    assert isinstance(caught.value, OSError)
    assert only(old) == "old"


def test_a_missing_folder_and_a_folder_in_the_way(tmp_path):
    with pytest.raises(FileWriteError, match="its folder does not exist"):
        atomic_write(tmp_path / "no" / "a").__enter__()
    with pytest.raises(FileWriteError, match="a folder has that name"), atomic_write(tmp_path) as temporary:
        temporary.write_text("new")


WRITE_TOO_MUCH = """
import resource, sys
from pathlib import Path
import numpy
from safetensors.numpy import save_file
from loopcell.errors import FileWriteError
from loopcell.files import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with atomic_write(Path(sys.argv[1])) as temporary:
        {write}
except FileWriteError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "write", ["temporary.write_bytes(bytes(8192))", "save_file({'x': numpy.zeros(8192)}, temporary)"]
)
def test_a_system_that_really_refuses_the_bytes(old, write):
    command = [sys.executable, "-c", WRITE_TOO_MUCH.format(write=write), str(old)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot write {old}: the file would be larger than the system allows")
    assert only(old) == "old"


DIE_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from loopcell.files import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_parts_take_the_name_when_they_are_whole_and_stay_when_not(old):
    part = old.with_name("model.safetensors.part")

    def write_half(error):
        with write_in_parts(old) as temporary:
            assert temporary == part
            part.write_text("half")
            raise error

    for error in (ZeroDivisionError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            write_half(error)
        assert (old.read_text(), part.read_text()) == ("old", "half")
    with write_in_parts(old):
        assert part.read_text() == ""  # what an earlier one left is gone
        part.write_text("new")
    assert only(old) == "new"


def test_a_killed_process_leaves_the_old_file(old):
    done = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, str(old)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
