"""The C of two cells, word for word: a change of the generator shows in review as what it does to the code.

To take the new text: python -m tests.golden.test_generated_c
"""

from pathlib import Path

import pytest

from loopcell import cells
from loopcell.backends.c.codegen.loops import Loops
from loopcell.passes.fuse import fuse

HERE = Path(__file__).parent
CELLS = ("rnn", "gru")


def generated(name):
    return Loops(fuse(cells.get(name).graph), registers=24).text()


@pytest.mark.parametrize("name", CELLS)
def test_generated_code(name):
    assert generated(name) == (HERE / f"{name}.c").read_text()


if __name__ == "__main__":
    for name in CELLS:
        (HERE / f"{name}.c").write_text(generated(name))
