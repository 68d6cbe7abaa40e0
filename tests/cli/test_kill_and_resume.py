"""Real processes: killed without a warning, resumed, and no different from one that was left alone."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import torch

from loopcell.files.tensors import read_tensor_file
from loopcell.training.checkpoint import CHECKPOINT
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
STEPS = 160
FLAGS = (
    "--cell lstm --hidden 12 --layers 2 --dropout 0.3 --batch-size 4 --chunk 8 --bptt 16 --device cpu "
    f"--max-steps {STEPS} --save-every 7 --eval-every 25 --log-every 5 --seed 3"
).split()


def start(*arguments):
    command = [sys.executable, "-m", "loopcell.cli", *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    return output


def rows(folder):
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kill_after(process, folder, update):
    """Kill the process as soon as its curve has passed an update."""
    deadline = time.monotonic() + 120
    while not (rows(folder) and int(rows(folder)[-1]["update"] or 0) >= update):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def checkpoint(folder, name):
    content = read_tensor_file(folder / "checkpoints" / f"{name}.safetensors", CHECKPOINT)
    for place in (content.facts["position"], *content.facts["history"]["rows"]):
        place.pop("seconds")
    return content


def test_killed_twice_and_resumed_is_the_run_that_was_left_alone(text, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finish(start("train", "lm", text, *FLAGS, "--run", whole))
    kill_after(start("train", "lm", text, *FLAGS, "--run", cut), cut, 40)
    assert 0 < checkpoint(cut, "last").facts["position"]["update"] < STEPS
    kill_after(start("resume", cut), cut, 95)
    assert checkpoint(cut, "last").facts["position"]["update"] < STEPS
    output = finish(start("resume", cut))
    assert output.startswith(f"complete: {STEPS} updates")
    for name in ("last", "best"):
        left, right = checkpoint(cut, name), checkpoint(whole, name)
        assert left.facts == right.facts
        assert left.tensors.keys() == right.tensors.keys()
        assert all(torch.equal(left.tensors[key], right.tensors[key]) for key in right.tensors)
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    found, expected = rows(cut), rows(whole)
    assert len(expected) >= STEPS // 5
    for row in [*found, *expected]:
        row.pop("seconds")
    assert found == expected


def test_an_interrupted_run_says_how_to_go_on(text, tmp_path):
    folder = tmp_path / "run"
    process = start("train", "lm", text, *FLAGS, "--max-steps", "100000", "--run", folder)
    while not rows(folder):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.startswith("interrupted: ")
    assert output.endswith(f"to go on: loopcell resume {folder}\n")
    assert "Traceback" not in errors


def test_a_reader_that_has_had_enough_is_no_error(run):
    process = start("sample", run, "--length", "1000000")
    assert process.stdout.read(20)
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait(timeout=60) == 0, errors
    assert errors == ""


def test_two_processes_from_the_command_line_agree_with_one(loopcell, text, tmp_path):
    small = ["--cell", "gru", "--hidden", "8", "--layers", "1", "--chunk", "8"]
    flags = [*small, "--device", "cpu", "--precision", "64-true", "--max-steps", "12", "--seed", "1"]
    alone = loopcell("train", "lm", text, *flags, "--batch-size", 8, "--run", tmp_path / "one")
    assert alone.exit_code == 0, alone.output
    said = finish(start("train", "lm", text, *flags, "--batch-size", 4, "--devices", 2, "--run", tmp_path / "two"))
    assert said.count("complete: 12 updates") == 1
    one, two = (checkpoint(tmp_path / name, "last") for name in ("one", "two"))
    assert (one.facts["processes"], two.facts["processes"]) == (1, 2)
    for name, value in one.tensors.items():
        if name.startswith("weights/"):
            torch.testing.assert_close(two.tensors[name], value, rtol=0, atol=1e-9)


def test_a_mistake_is_said_once_however_many_processes_there_are(tmp_path):
    process = start("train", "lm", tmp_path / "no.txt", "--device", "cpu", "--devices", 2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [line for line in errors.splitlines() if line.startswith("error: ")] == [
        f"error: there is no file {tmp_path / 'no.txt'}"
    ]
    assert "Traceback" not in errors
