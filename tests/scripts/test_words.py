"""The field's words: private terms and docstrings that ask a question are found, and their neighbours are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "scripts" / "words.py"


def look(folder, text, name="a.py"):
    (folder / name).write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, PROGRAM, folder], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("the word is foretold", "predict"),
        ("A Stretch of text", "segment, or run"),
        ("on the way back", "the backward pass"),
        ("all contestants", "entry"),
    ],
)
def test_a_private_term_is_named_with_the_fields(tmp_path, line, word):
    done = look(tmp_path, f"# one\n# {line}\n")
    assert done.returncode == 1
    assert "a.py:2: " in done.stdout
    assert f"is a private term; write {word!r}" in done.stdout


def test_markdown_is_read_too(tmp_path):
    assert look(tmp_path, "The network foretells it.\n", "a.md").returncode == 1


@pytest.mark.parametrize("line", ["outstretched", "embrace", "a trace", "on their way"])
def test_a_part_of_another_word_is_none(tmp_path, line):
    done = look(tmp_path, f"# {line}\n")
    assert done.returncode == 0
    assert "1 files in the field's words" in done.stdout


def test_a_term_that_has_to_stay_says_so(tmp_path):
    line = 'facts = {"foretells": True}'
    assert look(tmp_path, line).returncode == 1
    assert look(tmp_path, f"{line}  # kept: the key of saved files").returncode == 0


@pytest.mark.parametrize("form", ['"""{}"""\n', 'def f():\n    """{}"""\n', 'class C:\n    """{}"""\n'])
def test_a_docstring_that_begins_with_a_question_word_is_refused(tmp_path, form):
    assert look(tmp_path, form.format("Whether it fits.")).returncode == 1
    assert look(tmp_path, form.format("Whatever fits.")).returncode == 0
    assert look(tmp_path, form.format("Return whether it fits.")).returncode == 0


def test_an_empty_folder_is_a_mistake_in_the_call(tmp_path):
    assert subprocess.run([sys.executable, PROGRAM, tmp_path], capture_output=True, check=False).returncode == 2
