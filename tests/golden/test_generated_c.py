"""The C of three cells, word for word: a change of the generator shows in review as what it does to the code.

Whether the code is right is for tests/kernels to say; here only a change is seen. To take the new text:

    python -m tests.golden.test_generated_c
"""

import difflib
from pathlib import Path

import pytest

from loopcell import cells
from loopcell.backends.c.codegen.loops import Loops
from loopcell.passes.fuse import fuse

HERE = Path(__file__).parent
CELLS = ("rnn", "gru", "lstm")
SHOWN = 60  # lines of a difference


def generated(name):
    return Loops(fuse(cells.get(name).graph), registers=24).text()


def difference(kept, new, name):
    """What changed, and how to take it; empty where nothing did."""
    if kept == new:
        return ""
    before, now = kept.splitlines(), new.splitlines()
    lines = list(difflib.unified_diff(before, now, f"{name}.c", "generated now", lineterm="", n=2)) or ["ends of lines"]
    rest = f"\n... and {len(lines) - SHOWN} lines more" * (len(lines) > SHOWN)
    hint = "If that is what the change should do: python -m tests.golden.test_generated_c, and look at the diff of git."
    return "\n".join(lines[:SHOWN]) + f"{rest}\n\n{hint}"


@pytest.mark.parametrize("name", CELLS)
def test_generated_code(name):
    changed = difference((HERE / f"{name}.c").read_text(encoding="utf-8"), generated(name), name)
    if changed:
        pytest.fail(changed, pytrace=False)


def test_every_file_belongs_to_a_cell():
    assert {file.stem for file in HERE.glob("*.c")} == set(CELLS)


def test_a_difference_shows_the_lines_and_the_command():
    assert difference("a\nb\n", "a\nb\n", "rnn") == ""
    said = difference("a\nb\n", "a\nc\n", "rnn")
    assert said.splitlines()[:6] == ["--- rnn.c", "+++ generated now", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert "python -m tests.golden.test_generated_c" in said
    assert "... and 43 lines more" in difference("", "x\n" * 100, "rnn")  # of 2 + 1 + 100
    assert difference("a\n", "a", "rnn").startswith("ends of lines")


if __name__ == "__main__":
    for name in CELLS:
        (HERE / f"{name}.c").write_text(generated(name), encoding="utf-8")
