"""Files without a name: where they are, what is left of them, and what is said where they cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loopcell.data import Ragged
from loopcell.data.stored import beside, place_of_files, stored_note, temporary_file
from loopcell.errors import FileWriteError

FULL = Path("/dev/full")
WRITES = """
import sys, time
import numpy as np
from loopcell.data import Ragged
def arrays():
    while True:
        yield np.zeros(1 << 16)
        print("written", flush=True)
Ragged.of(arrays(), in_memory=0)
"""


def test_the_place_is_what_was_said_or_the_runs_or_the_systems(tmp_path, monkeypatch):
    monkeypatch.delenv("LOOPCELL_STORE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert place_of_files() == tmp_path
    with beside(tmp_path / "runs" / "new"):  # which are to come
        assert place_of_files() == tmp_path
        (tmp_path / "runs").mkdir()
        assert place_of_files() == tmp_path / "runs"
        monkeypatch.setenv("LOOPCELL_STORE", "/elsewhere")
        assert str(place_of_files()) == "/elsewhere"
    assert str(place_of_files()) == "/elsewhere"
    assert "(3 MiB), and lies in a file in /elsewhere until the end" in stored_note("it", 3 << 20)
    assert "(1.5 GiB)" in stored_note("it", 3 << 29)


def test_a_folder_that_is_not_there_is_an_error_that_says_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_STORE", str(tmp_path / "no"))
    with pytest.raises(FileWriteError, match=r"no cannot take them: no such file or directory; name a folder .*STORE"):
        Ragged.of([np.zeros(3)], in_memory=0)


@pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")
def test_a_full_disk_is_said(monkeypatch):
    def full(**options):
        return FULL.open("w+b", buffering=options["buffering"])

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(FileWriteError, match=r"cannot take them: no space left on device; .* LOOPCELL_IN_MEMORY"):
        Ragged.of((np.zeros(1 << 16) for _ in range(100)), in_memory=0)
    with pytest.raises(FileWriteError, match="no space left on device"), temporary_file() as file:
        file.write(b"less than the buffer")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_process_that_is_killed_leaves_nothing(tmp_path):
    environment = {**os.environ, "LOOPCELL_STORE": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", WRITES], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(tmp_path.iterdir()) == []
