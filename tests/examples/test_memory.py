"""The picture of the front page: the program draws it, and what it shows is so."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, str(ROOT / "examples" / "memory.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {cell: float(error) for cell, error in re.findall(r"(\w+): mean squared error ([\d.]+)", done.stdout)}


def texts(path):
    return {found.text for found in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")}


def test_the_picture_has_what_the_front_page_says(tmp_path):
    run("--updates", 2, "--picture", tmp_path / "memory.svg")
    assert texts(tmp_path / "memory.svg") == texts(ROOT / "docs" / "images" / "memory.svg")
    assert {"input", "state of the GRU", "answer of the GRU", "answer of the RNN"} < texts(tmp_path / "memory.svg")


@pytest.mark.slow
def test_the_gru_remembers_and_the_rnn_says_the_mean():
    errors = run()
    assert errors["gru"] < 0.002
    assert errors["rnn"] > 0.1
