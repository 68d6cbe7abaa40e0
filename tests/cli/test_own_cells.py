"""Cells in a file of the user's: what is there is said, and errors quote the line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import SMALL

CELLS = """
from loopcell import cell, sigmoid, tanh

@cell
def mine(x, h, *, W):
    i = sigmoid(W.i @ x)
    return tanh(W.h @ x + h)

@cell
def other(x, h, *, W):
    return tanh(W.h @ x + h)

def plain(x, h):
    return h

number = 3
"""


def refusal(result):
    """Everything that is said on stderr, behind "error: "."""
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    return result.stderr.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CELLS, encoding="utf-8")
    return tmp_path


BOTH = "its cells are mine, other: write one of them behind the file, such as"
THERE = {
    "mine.py": f"mine.py is a file of cells, and none is named; {BOTH} mine.py:mine",
    "mine.py:": f"mine.py is a file of cells, and none is named; {BOTH} mine.py:mine",
    "mine.py:othr": f"mine.py has no cell named 'othr'; {BOTH} mine.py:other",
    "mine.py:plain": "'plain' of mine.py is a function and no cell; put @cell above it",
    "mine.py:number": f"'number' of mine.py is no cell but of type int; {BOTH} mine.py:mine",
    "mnie.py:mine": "there is no Python file mnie.py to take a cell from; did you mean mine.py?",
    "mnie.py": "there is no Python file mnie.py to take a cell from; did you mean mine.py?",
}


@pytest.mark.parametrize("asked", THERE)
def test_what_is_there_is_said(loopcell, text, folder, asked):
    for command in (("train", "lm", text, *SMALL, "--cell"), ("explain",), ("cells",)):
        result = loopcell(*command, asked)
        assert (refusal(result), result.exit_code) == (THERE[asked], 2)
    assert not (folder / "runs").exists()


FEWER = {
    "x = 1\n": "own.py has no cells; put @cell above a function of one step",
    "from loopcell import cell\n@cell\ndef one(x, h, *, W):\n    return W.h @ x + h\n": (
        "own.py is a file of cells, and none is named; its cell is one: write own.py:one"
    ),
    "from loopcell import cell, cells\ngru = cells.get('gru')\n@cell\ndef one(x, h, *, W):\n    return W.h @ x + h\n": (
        "own.py is a file of cells, and none is named; its cell is one: write own.py:one"
    ),
}


@pytest.mark.parametrize("program", FEWER)
def test_files_with_one_cell_or_none(loopcell, folder, program):
    (folder / "own.py").write_text(program, encoding="utf-8")
    assert refusal(loopcell("explain", "own.py")) == FEWER[program]


START = "import loopcell\nfrom loopcell import cell, sigmoid\n\n@cell\ndef c(x, h, *, W, b):\n"
FAILING = {
    START + "    i = sigmod(W.i @ x)\n    return i * h\n": (
        "own.py failed in line 6: NameError: name 'sigmod' is not defined; did you mean sigmoid?\n"
        "    i = sigmod(W.i @ x)"
    ),
    START + "    return tahn(W.i @ x)\n": (
        "own.py failed in line 6: NameError: name 'tahn' is not defined; did you mean tanh?\n    return tahn(W.i @ x)"
    ),
    START + "    return tanh(W.i @ x)\n": (
        "own.py failed in line 6: NameError: name 'tanh' is not defined; write from loopcell import tanh\n"
        "    return tanh(W.i @ x)"
    ),
    START + "    return loopcell.sigmod(W.i @ x)\n": (
        "own.py failed in line 6: AttributeError: module 'loopcell' has no attribute 'sigmod'; did you mean sigmoid?\n"
        "    return loopcell.sigmod(W.i @ x)"
    ),
    START + "    gate = sigmoid(W.i @ x)\n    return gaet * h\n": (
        "own.py failed in line 7: NameError: name 'gaet' is not defined; did you mean gate?\n    return gaet * h"
    ),
    START + "    return sigmoid(W.i @ x\n": (
        "own.py is not Python in line 6: '(' was never closed\n    return sigmoid(W.i @ x"
    ),
    "import sys\nsys.exit(0)\n": (
        "own.py ends the program in line 2, so that no cell can be taken from it; "
        'put what is not for `import` below `if __name__ == "__main__":`\n    sys.exit(0)'
    ),
    "qqq\n": "own.py failed in line 1: NameError: name 'qqq' is not defined\n    qqq",
    "x = 'caf\u00e9' + 1\n": (
        "own.py failed in line 1: TypeError: can only concatenate str (not \"int\") to str\n    x = 'caf\u00e9' + 1"
    ),
}


@pytest.mark.parametrize("program", FAILING)
def test_errors_quote_the_line_and_the_nearest_name(loopcell, folder, program):
    (folder / "own.py").write_text(program, encoding="utf-8")
    result = loopcell("explain", "own.py:c")
    assert (refusal(result), result.exit_code) == (FAILING[program], 2)


def test_a_name_that_loopcell_does_not_export_in_an_import(loopcell, folder):
    (folder / "own.py").write_text("from loopcell import sigmod\n", encoding="utf-8")
    said = refusal(loopcell("explain", "own.py:c"))
    assert said.startswith("own.py failed in line 1: ImportError: cannot import name 'sigmod' from 'loopcell'")
    assert said.endswith("; did you mean sigmoid?\n    from loopcell import sigmod")


def test_notes_on_the_cell_that_was_asked_for_and_no_other(loopcell, folder):
    asked = loopcell("explain", "mine.py:mine")
    note = "note: cell `mine`: `i` (line 6 of mine.py) is computed and not used, and `W.i` with it\n"
    assert (asked.exit_code, asked.stderr) == (0, note)
    assert loopcell("explain", "mine.py:other").stderr == ""


def test_equations_that_are_wrong_quote_the_line_too(loopcell, folder):
    (folder / "own.py").write_text(START + "    c = sigmoid(W.h @ x + b)\n    return c * h\n", encoding="utf-8")
    assert refusal(loopcell("explain", "own.py:c")) == (
        "cell `c`, line 6 of own.py:\n    c = sigmoid(W.h @ x + b)\n"
        "`b` is a namespace of parameters, not a parameter; write b.h"
    )
