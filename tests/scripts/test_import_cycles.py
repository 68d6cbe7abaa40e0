"""Circles of imports and shared names of classes: what is refused, what is counted, and that both can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "import_cycles.py"
TOP = "from house.{} import x\n"
TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.{} import x\n"
FUNCTION = "def f():\n    from house.{} import x\n"


def look(root, **files):
    package = root / "house"
    package.mkdir(parents=True)
    for name, text in {"__init__": "", **files}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, PROGRAM, root], capture_output=True, text=True, check=False)


def test_a_line_of_imports_is_no_circle(tmp_path):
    done = look(tmp_path, a=TOP.format("b"), b=TOP.format("c"), c="import os\n")
    assert done.returncode == 0
    assert "4 modules, circles of imports: 0 at the top, 0 with those for types, 0 with those inside" in done.stdout


@pytest.mark.parametrize(("form", "top"), [(TOP, 1), (TYPES, 0)])
def test_a_circle_is_refused_also_one_for_types(tmp_path, form, top):
    done = look(tmp_path, a=TOP.format("b"), b=TOP.format("c"), c=form.format("a"))
    assert done.returncode == 1
    assert f"{top} at the top, 1 with those for types" in done.stdout
    assert "refused: a circle of imports: house.a, house.b, house.c" in done.stdout


def test_a_circle_through_a_function_is_only_counted(tmp_path):
    done = look(tmp_path, a=TOP.format("b"), b=FUNCTION.format("a"))
    assert done.returncode == 0
    assert "inside functions: house.a, house.b" in done.stdout


def test_a_package_is_one_of_the_modules(tmp_path):
    assert look(tmp_path, __init__="from house import a\n", a="from house import b\n", b="").returncode == 0
    done = look(tmp_path / "more", __init__="from house.a import x\n", a="from house import x\n")
    assert "refused: a circle of imports: house, house.a" in done.stdout


def test_two_classes_of_one_name_are_refused(tmp_path):
    assert look(tmp_path, a="class One: ...\n", b="class Two: ...\n").returncode == 0
    done = look(tmp_path / "more", a="class One: ...\n", b="class One: ...\n")
    assert done.returncode == 1
    assert "2 classes are called One, and one word has one meaning: house.a, house.b" in done.stdout


def test_an_empty_folder_is_a_mistake_in_the_call(tmp_path):
    assert subprocess.run([sys.executable, PROGRAM, tmp_path], capture_output=True, check=False).returncode == 2
