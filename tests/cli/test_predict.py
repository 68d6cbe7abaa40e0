"""What predict keeps when it ends early, and how its lines are told apart."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from loopcell.cli import app, predict
from loopcell.cli.predictions import PredictedRow
from tests.cli.conftest import one_thread
from tests.tasks.small import words

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    rows = "".join(f"{word},{kind}\n" for word, kind in zip(*words(60), strict=True))
    (folder / "t.csv").write_text("word,kind\n" + rows, encoding="utf-8")
    columns = ["--input", "word", "--label", "kind"]
    small = ["--cell", "gru", "--hidden", "8", "--epochs", "1", "--device", "cpu", "--run", str(folder / "run")]
    result = CliRunner().invoke(app, ["train", "classify", str(folder / "t.csv"), *columns, *small])
    assert result.exit_code == 0, result.output
    return folder / "run"


GOOD = [json.dumps({"word": "abba"}) for _ in range(2500)]
ENDINGS = {"not JSON": b"no JSON\n", "not UTF-8": b'{"word": "\xff"}\n'}


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_before_a_bad_one_are_kept(loopcell, trained, tmp_path, ending):
    out, part, path = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part", tmp_path / "in.jsonl"
    path.write_bytes("\n".join([*GOOD, ""]).encode() + ENDINGS[ending])
    out.write_text("before", encoding="utf-8")
    result = loopcell("predict", trained, path, "-o", out)
    assert result.exit_code == 1
    assert f"note: the first 2,500 rows are in {part}\nerror: {path} " in result.stderr
    assert part.read_text(encoding="utf-8").count("\n") == 2500
    assert out.read_text(encoding="utf-8") == "before"

    path.write_text("\n".join(GOOD[:3]), encoding="utf-8")
    assert loopcell("predict", trained, path, "-o", out).exit_code == 0
    assert out.read_text(encoding="utf-8").count("\n") == 3
    assert not part.exists()


def test_rows_before_ctrl_c_are_kept(loopcell, trained, tmp_path, monkeypatch):
    def interrupted(model, spec):
        yield PredictedRow({}, {})
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "_of_examples", interrupted)
    (tmp_path / "in.jsonl").write_text(GOOD[0], encoding="utf-8")
    result = loopcell("predict", trained, tmp_path / "in.jsonl", "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert result.stderr == f"note: the first row is in {tmp_path / 'out.part'}\n"
    assert (tmp_path / "out.part").read_text(encoding="utf-8") == "{}\n"


def test_nothing_is_left_where_nothing_was_read(loopcell, trained, tmp_path):
    assert loopcell("predict", trained, tmp_path / "no", "-o", tmp_path / "out").exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_lines_say_which_row_they_are_of(loopcell, trained, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("\n".join(["", *GOOD[:2]]), encoding="utf-8")
    paths = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    result = loopcell("predict", trained, paths[0])
    assert [json.loads(line)["row"] for line in result.stdout.splitlines()] == [1, 2]
    assert result.stderr == f"note: 1 row skipped (blank lines: 1, first at {paths[0]} line 1)\n"
    assert list(json.loads(result.stdout.partition("\n")[0])) == ["row", "label", "probability", "probabilities"]
    for files in (paths, [tmp_path]):  # a folder's files, too
        lines = [json.loads(line) for line in loopcell("predict", trained, *files).stdout.splitlines()]
        assert [(line["file"], line["row"]) for line in lines] == [(path, row) for path in paths for row in (1, 2)]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", "", "is empty"),
        ("empty.csv", "", "is empty"),
        ("header.csv", "word,kind\n", "has no rows"),
        ("blank.jsonl", "\n\n", "has no rows"),
    ],
)
def test_a_file_without_rows_is_an_error(loopcell, trained, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    for command in (["predict", trained, path, "--input", "word"], ["eval", trained, path]):
        result = loopcell(*command)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.startswith(f"error: {path} {sentence}"), result.stderr
