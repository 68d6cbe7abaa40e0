"""How many files stand between a call and its kernel: few, and a second call enters fewer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "call_path.py"


@pytest.mark.parametrize(
    ("cell", "most"),
    [("gru", 14), ("lstm", 14), ("mgu", 15)],  # a `Recurrent` returns a `State`, which has a file of its own
)
def test_few_files_stand_between_a_call_and_its_kernel(cell, most):
    done = subprocess.run(
        [sys.executable, PROGRAM, cell],
        env={**os.environ, "LOOPCELL_BACKEND": "auto"},
        capture_output=True,
        text=True,
        check=True,
    )
    titles = re.findall(rf"^the (\w+) call of a {cell}: (\d+) files$", done.stdout, re.MULTILINE)
    counts = {which: int(count) for which, count in titles}
    assert counts["first"] <= most
    assert counts["second"] <= most - 2
    first, second = (re.findall(r"^  (\S+\.py) ", part, re.MULTILINE) for part in done.stdout.split("the second call"))
    assert len(first) == counts["first"]
    assert "backends/c/launch/arguments.py" in first  # or it was not the kernel that ran
    assert "runtime/execute.py" in first
    assert "runtime/execute.py" not in second
