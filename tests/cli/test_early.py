"""Errors that need no torch come before it is imported, which takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from loopcell.files.tensors import FileKind, TensorFile, write_tensor_file

PROGRAM = """
import json, sys
from typer.testing import CliRunner
from loopcell.cli import app

for command in json.load(sys.stdin):
    result = CliRunner().invoke(app, command)
    heavy = [name for name in ("torch", "sklearn", "scipy", "lightning_fabric", "polars") if name in sys.modules]
    print(json.dumps([result.exit_code, result.stderr, heavy]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("early")
    (path / "words.csv").write_text("word,kind\naa,x\nab,y\n", encoding="utf-8")
    (path / "text.txt").write_text("the cat\n" * 20, encoding="utf-8")
    (path / "cell.py").write_text("no = 1\n", encoding="utf-8")
    (path / "broken.py").write_text("def (\n", encoding="utf-8")
    (path / "taken").mkdir()
    (path / "taken" / "file").write_text("")
    for name, kind, task in (("chat", "loopcell", "chat"), ("new", "loopcell", "dream"), ("foreign", "other", "chat")):
        content = TensorFile({"weight": torch.zeros(2)}, {"task": task})
        write_tensor_file(path / f"{name}.safetensors", FileKind(kind, 1, "model"), content)
    np.save(path / "X.npy", np.zeros((4, 3, 2), np.float32))
    return path


# What is typed in the folder, and a part of the sentence.
COMMANDS = {
    "train classify no.csv": "there is no file no.csv",
    "train classify words.csv": "say with --label which one holds the target",
    "train classify words.csv --input no --label kind": "words.csv has no column 'no'; it has word, kind",
    "train classify words.csv --input word --label kind --cell lstn": "lstn",
    "train classify words.csv --input word --label kind --cell cell.py:no": "cell.py",
    "train classify words.csv --input word --label kind --cell broken.py:no": "broken.py",
    "train classify words.csv --input word --label kind --hidden 0": "--hidden",
    "train classify words.csv --input word --label kind --epochs 0": "--epochs",
    "train classify words.csv --input word --label kind --lr nan": "--lr",
    "train classify words.csv --input word --label kind --tokens letter": "unknown kind of tokens 'letter'",
    "train classify words.csv --input word --label kind --device tpu": "a device is auto, cpu, cuda, cuda:N or mps",
    "train classify words.csv --input word --label kind --run taken": "taken already exists and is not empty",
    "train classify words.csv --input word --label kind --time-limit soon": "'soon' is not a length of time",
    "train classify words.csv --input word --label kind --val no.csv": "there is no file no.csv",
    "train classify words.csv --input word --label kind --vectors no.vec": "no.vec",
    "train classify words.csv --input word --label kind --encoding utf9": "utf9",
    "train classify words.csv --input word --label kind --kind cvs": "cvs",
    "train classify words.csv --input word --label kind --size proj=3": "has no such size",
    "train regress X.npy y.npy": "there is no file y.npy",
    "train tag no.csv": "there is no file no.csv",
    "train translate text.txt no.txt": "there is no file no.txt",
    "train forecast no.csv": "there is no file no.csv",
    "train forecast words.csv": "name the column to forecast (--target): there are word, kind",
    "train forecast words.csv --target no": "words.csv: there is no column 'no': there are word, kind",
    "train forecast text.txt --target no": "every line is read as a text, also the first one: --kind csv reads a table",
    "train forecast words.csv --head mode": "--head",
    "train anomaly words.csv --target kind --run taken": "taken already exists and is not empty",
    "train vectors no.txt": "there is no file no.txt",
    "train lm no.txt": "there is no file no.txt",
    "train lm text.txt --val no.txt": "there is no file no.txt",
    "train lm text.txt --tokens letter": "unknown kind of tokens 'letter'",
    "train lm text.txt --run taken": "taken already exists and is not empty",
    "predict no.safetensors words.csv": "there is no loopcell model no.safetensors",
    "predict words.csv words.csv": "words.csv is not a loopcell model",
    "predict foreign.safetensors words.csv": "its format is 'other'",
    "predict new.safetensors words.csv": "there is no task 'dream'",
    "predict chat.safetensors no.csv": "there is no file no.csv",
    "eval no.safetensors words.csv": "there is no loopcell model no.safetensors",
    "eval chat.safetensors no.csv": "there is no file no.csv",
    "sample chat.safetensors": "holds the model of another task: 'chat'",
    "translate chat.safetensors": "holds the model of another task: 'chat'",
    "chat no.safetensors": "there is no loopcell model no.safetensors",
    "resume taken": "taken is not the folder of a run",
    "explain lstn": "lstn",
    "cells lstn": "lstn",
}


@pytest.fixture(scope="module")
def answers(folder):
    """The answers to all commands, from one process: nothing heavy may be there after the last of them."""
    typed = json.dumps([command.split() for command in COMMANDS])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=typed, capture_output=True, text=True, check=True, cwd=folder
    )
    found = map(json.loads, done.stdout.splitlines())
    return dict(zip(COMMANDS, found, strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_is_refused_before_anything_heavy_is_imported(answers, command):
    code, sentence, heavy = answers[command]
    assert code in (1, 2)
    lines = [line for line in sentence.splitlines() if not line.startswith("note: ")]  # on how a file is read
    assert lines[0].startswith("error: ") or "Usage:" in sentence
    assert COMMANDS[command] in sentence
    assert heavy == []
