"""The demo, with little text and little time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_trains_scores_samples_and_says_where_things_lie(tmp_path):
    command = [sys.executable, str(PROGRAM), "--seconds", "1", "--bytes", "100000", "--run", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = dict(re.findall(r"^(unigram|lzma) +([\d.]+)$", done.stdout, re.MULTILINE))
    model = re.search(r"^model +([\d.]+) +([\d.]+) +[\d.]+$", done.stdout, re.MULTILINE)
    assert 2 < float(figures["unigram"]) < 6
    assert 1 < float(figures["lzma"]) < 6
    assert float(model[2]) > 0
    assert "def __init__(self, " in done.stdout.partition("a sample after")[2].partition(":\n")[2]
    for file in (tmp_path / "run" / "model.safetensors", tmp_path / "run" / "metrics.csv"):
        assert file.is_file()
        assert str(file) in done.stdout


def test_the_text_is_the_same_on_every_call():
    program = (
        f"import runpy; files = runpy.run_path({str(PROGRAM)!r})['source_files'];"
        "assert files(10**5) == files(10**5); assert sum(f.stat().st_size for f in files(10**5)) <= 10**5"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
