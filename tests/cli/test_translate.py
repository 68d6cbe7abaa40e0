"""train translate, translate, and pairs of files in the other verbs."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from loopcell import Seq2Seq
from loopcell.cli import app
from tests.cli.conftest import one_thread
from tests.tasks.small import reversals

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 24, "--embedding", 12, "--lr", 0.02, "--warmup", 5]
SMALL += ["--device", "cpu", "--seed", "1"]


def call(*arguments, typed=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for name, texts in zip(("train.src", "train.tgt"), reversals(200), strict=True):
        (folder / name).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return folder / "train.src", folder / "train.tgt"


@pytest.fixture(scope="module")
def trained(pair, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "back"
    result = call("train", "translate", *pair, *SMALL, "--epochs", 6, "--beam", 3, "--run", run)
    assert result.exit_code == 0, result.output
    return run, result.stdout


def test_two_files_are_sources_and_targets(trained):
    run, output = trained
    assert "20 pairs:" in output
    for name in ("model", "copy", "most frequent"):
        assert f"\n{name} " in output
    assert Seq2Seq.load(run / "model.safetensors").beam == 3


def test_scores_keep_to_what_a_training_may_take(pair, tmp_path, monkeypatch):
    """The limit is of reading, training and scoring together; what could not be scored is said."""
    monkeypatch.setattr("loopcell.tasks.seq2seq.estimator.MOST_SCORED", 12)
    result = call("train", "translate", *pair, *SMALL, "--epochs", 1, "--run", tmp_path / "some")
    assert "12 of 20 pairs, drawn at random:" in result.stdout
    assert json.loads((tmp_path / "some" / "score.json").read_text())["data"] == "12 of 20 pairs, drawn at random"
    monkeypatch.setattr("loopcell.tasks.core.estimator.held_out.seconds_left", lambda *_: 0.0)
    flags = ["--epochs", 1, "--time-limit", "30s", "--run", tmp_path / "late"]
    result = call("train", "translate", *pair, *SMALL, *flags)
    assert result.exit_code == 0, result.output
    assert "8 of 20 pairs, drawn at random, as many as the time limit left:" in result.stdout


def test_a_line_for_a_line(trained):
    model = Seq2Seq.load(trained[0] / "model.safetensors")
    lines = ["abcd", "", "da", "xx"]
    result = call("translate", trained[0], typed="".join(line + "\n" for line in lines))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == model.predict(lines)
    assert result.stderr == "note: 2 tokens were never seen in training and count as unknown\n"
    result = call("translate", trained[0], "--n-best", 4, typed="abcd\r\nda")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    found = model.set_params(beam=4).candidates(["abcd", "da"])
    assert [text for _, text in rows] == [one.text for some in found for one in some]
    assert [float(number) for number, _ in rows] == pytest.approx(
        [one.log_probability for some in found for one in some], abs=1e-3
    )
    result = call("translate", trained[0], "--beam", 1, "--max-length", 1, typed="abcd\n")
    assert len(result.stdout) <= 2


def test_standard_input_in_another_encoding_is_refused_with_its_line(trained):
    model = Seq2Seq.load(trained[0] / "model.safetensors")
    result = call("translate", trained[0], typed=b"ab\ncd\n\xb0\xa1\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == model.predict(["ab", "cd"])  # what came before is answered
    assert result.stderr.startswith("error: standard input is not utf-8 text: byte 0xb0 in line 3; if it is Korean")
    result = call("translate", trained[0], "--encoding", "cp949", typed=b"ab\n\xb0\xa1\n")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == model.predict(["ab", "가"])


def test_nothing_on_standard_input_is_nothing_to_do(trained):
    result = call("translate", trained[0], typed=b"")
    assert (result.exit_code, result.stdout) == (0, "")


def test_eval_and_predict_of_pairs(trained, pair):
    run, _ = trained
    result = call("eval", run, *pair, "--train", pair[0], "--train", pair[1])
    assert result.exit_code == 0, result.output
    assert "200 pairs:" in result.stdout
    assert "most frequent" in result.stdout
    lines = [json.loads(line) for line in call("predict", run, pair[0]).stdout.splitlines()]
    assert [line["text"] for line in lines] == Seq2Seq.load(run / "model.safetensors").predict(reversals(200)[0])


def test_a_table_with_its_columns_named(tmp_path):
    table = tmp_path / "t.tsv"
    rows = "".join(f"{a}\t{b}\n" for a, b in zip(*reversals(60), strict=True))
    table.write_text("there\tback\n" + rows, encoding="utf-8")
    columns = ["--input", "there", "--target", "back"]
    run = tmp_path / "r"
    result = call("train", "translate", table, *columns, *SMALL, "--epochs", 1, "--attention", "none", "--run", run)
    assert result.exit_code == 0, result.output
    assert call("eval", run, table, *columns).exit_code == 0
    assert call("resume", run).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a", "b"], "a has 3 rows and b has 2: row by row they are pairs"),
        (["a", "a", "--val", "a"], "a file of sources and one of targets were expected, got 1"),
        (["a", "a", "--beam", "0"], "--beam: input should be greater than or equal to 1, got 0"),
        (["a", "a", "--attention", "big"], "--attention: input should be 'none', 'dot', 'general' or 'additive'"),
        (["a", "nothing"], "nothing"),
        (["a", "latin"], "latin"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("x\ny\nz\n", encoding="utf-8")
    (tmp_path / "b").write_text("x\ny\n", encoding="utf-8")
    (tmp_path / "latin").write_bytes("é\né\né\n".encode("latin-1"))
    result = call("train", "translate", *arguments, "--device", "cpu", "--run", tmp_path / "r")
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_a_model_of_another_task_does_not_translate(run):
    result = call("translate", run, typed="a\n")
    assert result.exit_code == 1
    assert "holds the model of another task: 'language-model'" in result.stderr
