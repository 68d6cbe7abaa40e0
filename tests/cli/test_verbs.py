"""Each verb does its job."""

from __future__ import annotations

import re
import shutil

import pytest

from loopcell import cells as library, explain
from tests.cli.conftest import SMALL
from tests.training.test_run_lock import end, hold


def test_train_tells_what_it_reached_and_where_it_lies(loopcell, text, tmp_path):
    folder = tmp_path / "run"
    result = loopcell("train", "lm", text, *SMALL, "--max-steps", "20", "--run", folder)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"complete: 20 updates in \d+ s", lines[0])
    assert lines[1] == "held-out text: 270 characters, 270 tokens"
    assert lines[2].split() == ["nats/char", "bits/char", "perplexity/token"]
    assert [line.split()[0] for line in lines[3:6]] == ["model", "unigram", "lzma"]
    assert re.fullmatch(
        r"the model is no better than its best baseline, lzma: bits/char \d\.\d{4} against 3\.0815; "
        r"try more --epochs, another --lr, or more text",
        lines[6],
    )
    assert lines[7:] == [
        f"model:  {folder / 'model.safetensors'}",
        f"curve:  {folder / 'metrics.csv'}",
        "seed:   1",
        f"sample: loopcell sample {folder / 'model.safetensors'}",
    ]
    assert "held-out loss" in result.stderr


def test_sample_writes_on_after_the_prime(loopcell, run):
    arguments = ("sample", run, "--prime", "the ", "--length", "40", "--seed", "1", "--temperature", "0.5")
    result = loopcell(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("the ")
    assert len(result.stdout) == 45  # prime, sample, newline
    assert loopcell(*arguments).stdout == result.stdout
    assert loopcell("sample", run / "model.safetensors", *arguments[2:]).stdout == result.stdout
    assert loopcell(*arguments[:-3], "2", "--top-k", "3", "--top-p", "0.9").stdout != result.stdout


def test_sample_stops(loopcell, run):
    result = loopcell("sample", run, "--prime", "the", "--stop", " ", "--length", "400", "--seed", "1")
    assert re.fullmatch(r"the[a-z.\n]*\n", result.stdout)


def test_eval_prints_the_model_beside_the_baselines(loopcell, run, text):
    result = loopcell("eval", run, text)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "text: 2,700 characters, 2,700 tokens"
    rows = {line.split()[0]: [float(value) for value in line.split()[1:]] for line in result.stdout.splitlines()[2:]}
    nats, bits, perplexity = rows["model"]
    assert bits == pytest.approx(nats / 0.693147, abs=1e-3)
    assert perplexity == pytest.approx(2.718282**nats, abs=1e-2)
    assert bits < rows["unigram"][0]
    assert rows["lzma"][0] < 1  # the text repeats itself


def test_resume_of_a_complete_run_says_so_and_changes_nothing(loopcell, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    result = loopcell("resume", folder)
    assert result.exit_code == 0
    assert result.stdout.startswith("complete: 60 updates")
    assert {path: path.read_bytes() for path in folder.rglob("*.safetensors")} == before


def test_cells_lists_every_cell_with_its_equations(loopcell):
    result = loopcell("cells", "--hidden", "64", "--input-size", "32")
    assert result.exit_code == 0
    named = [line.partition(":")[0] for line in result.stdout.splitlines() if re.match(r"\w+: ", line)]
    assert named == library.names()
    assert "h = o * tanh(c)" in result.stdout


def test_cells_say_which_inputs_they_read(loopcell):
    result = loopcell("cells", "gru_d", "gru_decay", "gru")
    assert "  Reads x [input], mask [input], dt [input].\n    gamma_x = exp(-relu(G.x * dt + b.x))" in result.output
    assert "  Reads x [input], dt [1].\n" in result.output
    assert result.output.count("Reads") == 2
    assert "input     dt             a scalar" in loopcell("explain", "gru_decay").output


def test_cells_counts_parameters(loopcell):
    result = loopcell("cells", "lstm", "--hidden", "10", "--input-size", "5")
    assert result.stdout.startswith(f"lstm: {4 * (10 * 5 + 10 * 10 + 10)} parameters (input 5, hidden 10)\n")


def test_explain_prints_the_pipeline(loopcell):
    result = loopcell("explain", "gru")
    assert result.exit_code == 0
    assert result.stdout.rstrip() == explain(library.get("gru")).rstrip()


OWN_CELL = """
from loopcell import cell, tanh

@cell
def plain(x, h, *, W, U):
    h = tanh(W.h @ x + U.h @ h)
    return h
"""


def test_a_cell_of_ones_own_from_a_file(loopcell, text, tmp_path):
    (tmp_path / "mine.py").write_text(OWN_CELL, encoding="utf-8")
    spec = f"{tmp_path / 'mine.py'}:plain"
    assert "h = tanh(W.h @ x + U.h @ h)" in loopcell("explain", spec).stdout
    folder = tmp_path / "run"
    assert loopcell("train", "lm", text, *SMALL, "--max-steps", "2", "--cell", spec, "--run", folder).exit_code == 0
    (tmp_path / "mine.py").unlink()  # the model needs it no more, nor does the run
    assert loopcell("sample", folder, "--length", "5").exit_code == 0
    assert loopcell("resume", folder).exit_code == 0


@pytest.mark.parametrize("tokens", ["char", "byte", "jamo", "bpe", "word"])
def test_korean_in_every_kind_of_tokens(loopcell, tmp_path, tokens):
    path = tmp_path / "ko.txt"
    path.write_text("나는 학교에 갑니다. 너는 집에 있어요.\n" * 60, encoding="utf-8")
    folder = tmp_path / "run"
    size = ["--vocab-size", "300"] if tokens == "bpe" else []
    result = loopcell("train", "lm", path, *SMALL, "--max-steps", "3", "--tokens", tokens, *size, "--run", folder)
    assert result.exit_code == 0, result.stderr
    assert "nats/char" in result.stdout
    drawn = loopcell("sample", folder, "--prime", "나는", "--length", "10", "--seed", "1").stdout
    assert drawn.startswith("나는")


def test_the_version(loopcell):
    assert re.fullmatch(r"loopcell \d+\.\d+\.\d+\n", loopcell("--version").stdout)


def test_a_run_that_another_process_trains_is_left_alone(loopcell, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    other = hold(folder)
    for command in (["resume", folder], ["resume", folder, "--max-steps", "90"]):
        result = loopcell(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {folder} is in use: process {other.pid} on ")
    end(other)
    assert {path: path.read_bytes() for path in before} == before
    assert loopcell("resume", folder).exit_code == 0


def test_a_run_is_made_longer(loopcell, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    result = loopcell("resume", folder, "--max-steps", "70", "--patience", "1000")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("complete: 70 updates")
    assert loopcell("resume", folder).stdout.startswith("complete: 70 updates")


def test_a_run_that_was_killed_before_its_texts_were_read_is_resumed(loopcell, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for name in ("checkpoints", "tensorboard", "tokens"):
        shutil.rmtree(folder / name)
    for name in ("vocabulary.json", "metrics.csv", "model.safetensors"):
        (folder / name).unlink()
    result = loopcell("resume", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("complete: 60 updates")
    assert (folder / "config.json").read_bytes() == (run / "config.json").read_bytes()
    assert (folder / "model.safetensors").is_file()
