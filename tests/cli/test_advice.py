"""Sentences that advise an argument of Python advise its flag in the shell."""

from __future__ import annotations

import json

import pytest

from loopcell import cli
from loopcell.cli.advice import FLAGS, in_flags
from tests.cli.conftest import one_thread
from tests.docs.command_line import complaint, root_command
from tests.tasks.small import words

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 8, "--epochs", 1, "--device", "cpu", "--seed", "1"]


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ("if it is Korean, say encoding='cp949'", "if it is Korean, say --encoding cp949"),
        ("; name its encoding (encoding='latin-1', ...)", "; name its encoding (--encoding latin-1, ...)"),
        ("where quotes are text, say quote=''", "where quotes are text, say --quote ''"),
        ("give it its right ending, or say kind=...", "give it its right ending, or say --kind ..."),
        ("say regular=False to count rows", "say --no-regular to count rows"),
        ("name the column to forecast (target=)", "name the column to forecast (--target)"),
        ("give every column its own name (header=[...])", "give every column its own name"),
        ("there is no file label=3/series=1/kind.csv", "there is no file label=3/series=1/kind.csv"),
        ("try epochs=60, learning_rate=0.004 or learning_rate=1e-05", "try --epochs 60, --lr 0.004 or --lr 1e-05"),
        ("try time_limit=240, pooling='mean'", "try --time-limit 240, --pooling mean"),
        ("go on with it there: fit(X, y, resume=True)", "go on with it there: fit(X, y, resume=True)"),
    ],
)
def test_arguments_become_flags(python, shell):
    assert in_flags(python) == shell


def test_the_flags_exist():
    command = root_command(cli)
    trained = (["train", job] for job in ("anomaly", "forecast", "classify", "lm"))
    verbs = (["eval"], ["export"], *trained)
    for flag in FLAGS.values():
        assert any(complaint(command, [*verb, flag]) is None for verb in verbs), flag


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "k.csv"
    rows = "".join(f"{word},{kind}\n" for word, kind in zip(*words(60), strict=True))
    path.write_bytes(("글,label\n" + rows.replace("a", "가")).encode("cp949"))
    return path


def test_a_table_of_korean_windows_from_its_error_to_its_score(loopcell, table, tmp_path):
    run = tmp_path / "r"
    train = ["train", "classify", table, "--input", "글", "--run", run, *SMALL]
    result = loopcell(*train)
    assert result.exit_code == 1
    assert result.stderr.endswith("if it is Korean text from Windows, say --encoding cp949\n")
    assert loopcell(*train, "--encoding", "cp949").exit_code == 0
    assert loopcell("predict", run, table).exit_code == 1  # an encoding is a file's own
    assert loopcell("predict", run, table, "--encoding", "cp949").stdout.count("\n") == 60
    assert loopcell("eval", run, table, "--encoding", "cp949", "--train", table).exit_code == 0
    assert loopcell("resume", run).exit_code == 0


def test_quotes_that_are_text(loopcell, tmp_path):
    table, run = tmp_path / "t.csv", tmp_path / "r"
    table.write_text("text,label\n" + '"a,x\nb,y\n' * 20, encoding="utf-8")
    train = ["train", "classify", table, "--run", run, *SMALL]
    assert loopcell(*train).stderr.endswith("where quotes are text, say --quote ''\n")
    assert loopcell(*train, "--quote", "").exit_code == 0
    result = loopcell(*train, "--quote", "", "--kind", "jsonl")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: jsonl is no kind of table with quotes: leave out --quote ''\n",
    )


def test_a_file_whose_ending_is_wrong(loopcell, tmp_path):
    table, run = tmp_path / "t.npy", tmp_path / "r"
    table.write_text("text,label\n" + "a,x\nb,y\n" * 20, encoding="utf-8")
    train = ["train", "classify", table, "--run", run, *SMALL]
    assert loopcell(*train).stderr.endswith("give it its right ending, or say --kind ...\n")
    assert loopcell(*train, "--kind", "csv").exit_code == 0


def test_a_table_of_series(loopcell, tmp_path):
    table, run = tmp_path / "t.csv", tmp_path / "r"
    table.write_bytes(
        "날,값\n".encode("cp949") + b"".join(b"%d,%d\n" % (day + day // 50, day % 7) for day in range(99))
    )
    train = ["train", "forecast", table, "--horizon", 2, "--history", 8, "--run", run, *SMALL]
    said = loopcell(*train, "--encoding", "cp949").stderr
    assert said.endswith("error: name the column to forecast (--target): there are 날, 값\n")
    said = loopcell(*train, "--encoding", "cp949", "--time", "날").stderr
    assert said.endswith("error: name the column to forecast (--target): there is only 값\n")
    train += ["--target", "값", "--time", "날"]
    assert "say --encoding cp949" in loopcell(*train).stderr
    train += ["--encoding", "cp949"]
    assert "say --no-regular to count rows as steps" in loopcell(*train).stderr
    result = loopcell(*train, "--no-regular")
    assert result.exit_code == 0, result.output
    source = json.loads((run / "config.json").read_text(encoding="utf-8"))["source"]
    assert source["data"]["encoding"] == "cp949"
    assert loopcell("resume", run).exit_code == 0
    assert loopcell("eval", run, table, "--encoding", "cp949").exit_code == 0
