"""One process a run: the second is told, and a killed one leaves nothing to tidy up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from loopcell.errors import UsageError
from loopcell.training import run_lock
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process

HOLD = """
import sys
from pathlib import Path
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process
with only_process(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path, **environment):
    """Another process that holds the folder until it is told to `end`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], env=os.environ | environment, **pipes)
    assert process.stdout.readline() == "held\n"
    return process


def end(process):
    process.communicate("")
    return process.returncode


def test_a_second_process_is_told_and_a_killed_one_lets_go(tmp_path):
    run = RunFolder(tmp_path / "run")
    other = hold(run.path)
    for _ in range(2):  # to be refused does not take the lock from the other
        with pytest.raises(UsageError) as caught, only_process(run):
            pass
        sentence = f"{run.path} is in use: process {other.pid} on {os.uname().nodename} is training there; "
        assert str(caught.value) == sentence + "wait for its end, or stop it"
    other.send_signal(signal.SIGKILL)
    end(other)
    with only_process(run):
        pass
    again = hold(run.path)  # what was held here is let go
    assert end(again) == 0


def test_within_a_block_the_folder_is_held_once(tmp_path):
    run = RunFolder(tmp_path / "run")
    with only_process(run):
        with only_process(RunFolder(tmp_path / "." / "run")):
            pass
        said = []

        def elsewhere():
            complaint = "this process is training there already, in another thread"
            with pytest.raises(UsageError, match=complaint), only_process(run):
                pass
            said.append(True)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert said
        with only_process(RunFolder(tmp_path / "another")):
            pass
    with only_process(run):
        pass


def test_the_later_processes_of_a_run_of_several_hold_nothing(tmp_path):
    run = RunFolder(tmp_path / "run")
    with only_process(run):
        second = hold(run.path, LOCAL_RANK="1")
        assert end(second) == 0


@pytest.mark.parametrize("content", [b"", b"\x1b[31m", b"999 \x1b]0;owned\x07" + b"x" * 10_000, b"\xff\xfe"])
def test_what_the_file_says_is_not_trusted(tmp_path, content):
    run = RunFolder(tmp_path / "run")
    other = hold(run.path)
    run.lock.write_bytes(content)
    with pytest.raises(UsageError) as caught, only_process(run):
        pass
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(run.path)) + 250
    end(other)


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(run_lock, "_lock", refuse)
    sentence = r"run cannot be locked \(.*\): do not start a second process on this run"
    with pytest.warns(UserWarning, match=sentence), only_process(RunFolder(tmp_path / "run")):
        pass


def test_what_a_kill_leaves_of_a_new_folder_is_no_run(tmp_path):
    """A kill before the config is whole: the folder can be trained in as if it were not there."""
    run = RunFolder(tmp_path / "run")
    with only_process(run):
        (run.path / ".config.json.0123456789ab.tmp").write_text('{"task"')
    made = RunFolder.create(run.path, {"task": "x"})
    assert made.read_config() == {"task": "x"}
    assert made.checkpoints.is_dir()
    with pytest.raises(UsageError, match="already exists and is not empty"):
        RunFolder.create(run.path, {"task": "x"})
    made.clear()
    assert run.contents() == []
    assert run.lock.exists()


def test_the_config_is_written_before_anything_else(tmp_path, monkeypatch):
    def killed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "make_folders", killed)
    with pytest.raises(KeyboardInterrupt):
        RunFolder.create(tmp_path / "run", {"task": "x"})
    assert RunFolder(tmp_path / "run").read_config() == {"task": "x"}
