"""Flags that take several files after each other, and what stands for standard input."""

from __future__ import annotations

import json
import os
import threading

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell.cli import app, train_verbs
from loopcell.cli.standard_input import as_files
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 4, "--epochs", 1, "--device", "cpu", "--seed", "1"]
TABLE = "text\tlabel\n" + "aa\tx\nbb\ty\n" * 20


def call(*arguments, typed=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


@pytest.mark.parametrize(
    ("typed", "files", "val"),
    [
        ("X y --val Xv yv", ["X", "y"], ["Xv", "yv"]),
        ("X y --val Xv yv --hidden 3", ["X", "y"], ["Xv", "yv"]),
        ("X y --hidden 3 --val Xv --val yv", ["X", "y"], ["Xv", "yv"]),
        ("X y --val=Xv yv", ["X", "y"], ["Xv", "yv"]),
        ("t.csv --val v.csv --no-calibrate", ["t.csv"], ["v.csv"]),
        ("--val v.csv t.csv", ["t.csv"], ["v.csv"]),
        ("--hidden 3 --val v.csv t.csv", ["t.csv"], ["v.csv"]),
        ("a b --val v --hidden 3 c", ["a", "b", "c"], ["v"]),
        ("a --val - --bidirectional", ["a"], ["-"]),
        ("a b", ["a", "b"], None),
    ],
)
def test_a_flag_takes_files_up_to_the_next_flag(monkeypatch, typed, files, val):
    found = []
    monkeypatch.setattr(train_verbs, "_train", lambda verb, settings, files, began: found.append(files[:2]))
    assert call("train", "classify", *typed.split()).exit_code == 0
    assert [[str(path) for path in some] if some else some for some in found[0]] == [files, val]


def test_two_arrays_after_each_flag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0)
    for name, count in (("", 30), ("v", 10)):
        labels = drawn.integers(0, 2, count)
        np.save(f"X{name}.npy", (drawn.normal(size=(count, 4, 2)) + labels[:, None, None]).astype(np.float32))
        np.save(f"y{name}.npy", labels)
    result = call("train", "classify", "X.npy", "y.npy", "--val", "Xv.npy", "yv.npy", *SMALL, "--run", "r")
    assert result.exit_code == 0, result.output
    assert "10 sequences:" in result.stdout
    result = call("eval", "r", "Xv.npy", "yv.npy", "--train", "X.npy", "y.npy")
    assert result.exit_code == 0, result.output
    assert "\nsummary logistic " in result.stdout


def test_standard_input_is_a_file_of_every_verb(tmp_path):
    run = tmp_path / "r"
    columns = ["--input", "text", "--label", "label"]
    result = call("train", "classify", "-", *columns, *SMALL, "--run", run, typed=TABLE)
    assert result.exit_code == 0, result.output
    for name in ("-", "/dev/stdin"):
        result = call("predict", run, name, typed=TABLE)
        assert result.exit_code == 0, result.output
        assert [json.loads(line)["row"] for line in result.stdout.splitlines()] == list(range(1, 41))
    assert "40 sequences:" in call("eval", run, "-", typed=TABLE).stdout
    result = call("eval", run, "-", "--train", "/dev/stdin", typed=TABLE)
    assert (result.exit_code, result.stderr) == (
        2,
        "error: standard input can be read once: name it for one file only\n",
    )
    assert call("predict", run, "-", "-o", "-", typed=TABLE).stdout.count("\n") == 40


def test_a_table_that_is_taken_for_lines_is_noted(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(TABLE.replace("\t", ",").replace("text", "document"), encoding="utf-8")
    columns = ["--input", "document", "--label", "label"]
    result = call("train", "classify", table, *columns, *SMALL, "--run", tmp_path / "r")
    assert result.exit_code == 0, result.output
    typed = table.read_text(encoding="utf-8")
    result = call("predict", tmp_path / "r", "-", typed=typed)
    assert result.stdout.count("\n") == 41
    assert (
        "note: standard input has no column 'document'; every line is read as a text, also the first one: --kind csv "
        "reads a table\n"
    ) in result.stderr
    result = call("predict", tmp_path / "r", "-", "--kind", "csv", typed=typed)
    assert result.stdout.count("\n") == 40
    assert "every line" not in result.stderr
    assert "every line" not in call("predict", tmp_path / "r", table).stderr


def test_a_copy_is_called_by_what_was_typed(tmp_path):
    """Standard input is read from a copy, whose path nobody knows."""
    table = tmp_path / "t.csv"
    table.write_text(TABLE.replace("\t", ","), encoding="utf-8")
    typed, run = table.read_text(encoding="utf-8"), tmp_path / "r"
    lines = "every line is read as a text, also the first one: --kind csv reads a table"
    result = call("train", "classify", "-", *SMALL, "--run", run, typed=typed)
    assert result.stderr.splitlines()[-1] == (
        f"error: standard input has the columns text: say with --label which one holds the target; {lines}"
    )
    result = call("train", "classify", "-", "--kind", "csv", *SMALL, "--run", run, typed=typed)
    assert result.exit_code == 0, result.output
    assert "note: standard input: the first line is taken as the header (text, label);" in result.stderr
    result = call("eval", run, "-", typed=typed)
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: standard input has the columns text: say with --label which one holds the target; {lines}\n"
    )
    assert call("eval", run, "-", "--kind", "csv", typed=typed).exit_code == 0
    result = call("eval", run, "-", "--kind", "csv", typed=typed + "one,two,three\n")
    assert "error: standard input row 41 (line 42): it has 3 cells and there are 2 columns" in result.stderr
    result = call("predict", run, "-", table, "--kind", "csv", typed=typed)
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [
        *["standard input"] * 40,
        *[str(table)] * 40,
    ]
    assert "loopcell-" not in result.output


def test_a_text_of_standard_input(tmp_path):
    small = ["--hidden", 6, "--layers", 1, "--batch-size", 2, "--chunk", 8, "--max-steps", 2, "--device", "cpu"]
    result = call("train", "lm", "-", *small, "--run", tmp_path / "r", typed="the cat sat.\n" * 40)
    assert result.exit_code == 0, result.output
    assert call("eval", tmp_path / "r", "-", typed="the cat sat.\n" * 40).exit_code == 0


def test_a_pipe_is_read_once_and_kept(tmp_path):
    pipe = tmp_path / "rows.tsv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(TABLE, encoding="utf-8"))
    writer.start()
    (copy,), none = as_files([pipe])
    writer.join()
    assert (copy.name, copy.read_text(encoding="utf-8"), none) == ("rows.tsv", TABLE, None)
