"""The demo, with little text and little time."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "demo.py"


def run(folder, *, seconds, size):
    command = [sys.executable, str(PROGRAM), "--seconds", str(seconds), "--bytes", str(size), "--run", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bits(output):
    """Bits a character of the model and of the two baselines."""
    rows = re.findall(r"^(model|unigram|lzma) +(?:[\d.]+ +)?([\d.]+)(?: +[\d.,]+)?$", output, re.MULTILINE)
    return {name: float(value) for name, value in rows}


def test_the_demo_trains_scores_samples_and_says_where_things_lie(tmp_path):
    output = run(tmp_path / "run", seconds=1, size=100_000)
    figures = bits(output)
    assert 2 < figures["unigram"] < 6
    assert 1 < figures["lzma"] < 6
    assert figures["model"] > 0
    assert "def __init__(self, " in output.partition("a sample after")[2].partition(":\n")[2]
    for file in (tmp_path / "run" / "model.safetensors", tmp_path / "run" / "metrics.csv"):
        assert file.is_file()
        assert str(file) in output


@pytest.mark.slow
def test_the_demo_beats_both_baselines(tmp_path):
    """A small text takes some 100 updates: 8 seconds will do, and a slow or busy machine gets as many as it needs."""
    for seconds in (8, 30, 120):
        output = run(tmp_path / f"run-{seconds}", seconds=seconds, size=60_000)
        figures = bits(output)
        if figures["model"] < figures["lzma"]:
            break
    assert figures["model"] < figures["lzma"] < figures["unigram"]
    assert "the model is better than its best baseline, lzma" in output


def test_the_clock_ends_the_demo_and_not_a_number_of_updates():
    """At the fastest pace that a machine could have, its updates last as long as its time."""
    make_model = runpy.run_path(str(PROGRAM))["make_model"]
    for seconds in (1, 150, 3600):
        model = make_model(seconds)
        assert model.time_limit == seconds
        assert model.updates / seconds >= 400


def test_the_text_is_the_same_on_every_call():
    program = (
        f"import runpy; files = runpy.run_path({str(PROGRAM)!r})['source_files'];"
        "assert files(10**5) == files(10**5); assert sum(f.stat().st_size for f in files(10**5)) <= 10**5"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
