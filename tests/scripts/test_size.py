"""The size budget: what is counted, and that it can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.size import FILE_LINES

PROGRAM = Path(__file__).parents[2] / "scripts" / "size.py"


def size(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, PROGRAM, folder], capture_output=True, text=True, check=False)


def function(lines, name="f", docstring=""):
    body = "".join(f"    x{i} = 0\n" for i in range(lines - 1))
    return f"def {name}():\n{docstring}{body}"


def test_a_docstring_is_not_counted(tmp_path):
    done = size(tmp_path, a=function(16, docstring='    """One.\n\n    Two.\n    """\n'))
    assert "1 functions: median 16, p90 16, max 16 lines" in done.stdout
    assert done.returncode == 0


def test_a_long_function_fails(tmp_path):
    small = "".join(function(2, f"g{i}") for i in range(20))
    assert size(tmp_path, a=small + function(60)).returncode == 0
    done = size(tmp_path, a=small + function(61))
    assert done.returncode == 1
    assert "a.py:41 f: 61 lines, and a function has at most 60" in done.stdout


def test_many_middling_functions_fail(tmp_path):
    small = "".join(function(2, f"g{i}") for i in range(8))
    done = size(tmp_path, a=function(17, "f") + function(17, "h") + small)
    assert done.returncode == 1
    assert "nine functions in ten have at most 17 lines, and 16 is the limit" in done.stdout


def test_a_long_file_fails(tmp_path):
    assert size(tmp_path, a=function(2) + "x = 0\n" * (FILE_LINES - 2)).returncode == 0
    done = size(tmp_path, a=function(2) + "x = 0\n" * (FILE_LINES - 1))
    assert done.returncode == 1
    assert f"a.py: {FILE_LINES + 1} lines, and a file has at most {FILE_LINES}" in done.stdout


def test_an_empty_folder_is_a_mistake_in_the_call(tmp_path):
    assert size(tmp_path).returncode == 2
