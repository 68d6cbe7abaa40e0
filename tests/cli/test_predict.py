"""What predict keeps when it ends early, and how its lines are told apart."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from loopcell.cli import app, predict
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
        yield "{}\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "_lines", interrupted)
    result = loopcell("predict", trained, tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert result.stderr == f"note: the first row is in {tmp_path / 'out.part'}\n"
    assert (tmp_path / "out.part").read_text(encoding="utf-8") == "{}\n"


def test_nothing_is_left_where_nothing_was_read(loopcell, trained, tmp_path):
    assert loopcell("predict", trained, tmp_path / "no", "-o", tmp_path / "out").exit_code == 1
    assert list(tmp_path.iterdir()) == []
