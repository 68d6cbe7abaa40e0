"""`loopcell inspect` of a run, and with --gradients: which page is written, and what cannot be."""

import json
import re

import pytest

from loopcell.cli import inspect_files, inspect_gradients, inspect_run, inspect_sequence
from tests.cli.test_inspect import reviews

__all__ = ["reviews"]


def _facts(page):
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text(encoding="utf-8"))
    return json.loads(found.group(1))


def test_the_folder_of_a_run_alone_shows_the_run(loopcell, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = loopcell("inspect", reviews / "run", "--no-open")
    assert result.exit_code == 0, result.output
    assert result.stdout == "wrote run.html\n"
    facts = _facts(tmp_path / "run.html")
    assert (facts["task"], facts["failure"]) == ("sequence-classifier", "")
    assert facts["scores"]["model"]["accuracy"] >= 0
    assert [layer["name"] for layer in facts["layers"]] == ["reader.recurrent, layer 0"]


def test_the_gradient_of_a_row_is_that_of_its_loss(loopcell, reviews, tmp_path):
    page, table = tmp_path / "flow.html", tmp_path / "flow.csv"
    where = ["--data", reviews / "reviews.csv", "--row", "3", "-o", page, "--table", table, "--no-open"]
    result = loopcell("inspect", reviews / "run", *where, "--gradients", "--treatment", "chrono")
    assert result.exit_code == 0, result.output
    facts = _facts(page)
    assert "".join(facts["steps"]) == "great"
    assert [(flow["lossOf"], flow["treatment"]) for flow in facts["flows"]] == [
        ("training loss", ""),
        ("training loss", "chrono"),
    ]
    assert table.read_text().startswith("treatment,layer,direction,state,step,token,norm,predicted\n,0,0,h,0,g,")


def test_without_a_target_it_is_that_of_the_last_output_and_said(loopcell, reviews, tmp_path):
    (tmp_path / "plain.csv").write_text("text\ngreat\n")
    where = ["--data", tmp_path / "plain.csv", "-o", tmp_path / "flow.html", "--no-open"]
    result = loopcell("inspect", reviews / "run", *where, "--gradients")
    assert result.exit_code == 0, result.output
    assert "says nothing that is true of the sequence: the loss is the last output" in result.stderr
    assert _facts(tmp_path / "flow.html")["flows"][0]["lossOf"] == "last output"


def test_of_a_text_it_is_that_of_the_last_token(loopcell, run, tmp_path):
    result = loopcell("inspect", run, "--text", "the cat", "--gradients", "-o", tmp_path / "flow.html", "--no-open")
    assert result.exit_code == 0, result.output
    assert _facts(tmp_path / "flow.html")["flows"][0]["lossOf"] == "last token"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--gradients",), "--gradients looks at one sequence: give --text TEXT, or --data FILE"),
        (("--text", "cat", "--gradients", "--part", "0:2"), "--part says nothing to --gradients"),
        (("--text", "cat", "--gradients", "--treatment", "rest"), "--treatment is orthogonal, chrono or clip, not"),
        (("--text", "cat", "--treatment", "clip"), "give --gradients too"),
        (("--text", "cat", "--gradients", "--table", "x.parquet"), "ends in .csv where --gradients"),
        (("--text", "c", "--gradients"), "fewer than two tokens"),
        (("--text", "cat", "--gradients", "-o", "none/x.html"), "folder does not exist"),
        (("--png", "x.png"), "--png says nothing to the page of a run"),
        (("--part", "0:2"), "--part says nothing to the page of a run"),
        (("-o", "none/x.html"), "folder does not exist"),
        (("-o", "x.pdf"), "ends in .html"),
        (("--text", "a", "--data", "b.csv"), "give --text TEXT, or --data FILE"),
        (("--text", "cat", "--part", "3"), "write 0:500, 100: or :50"),
        (("--text", "cat", "--png", "x.svg"), "--png names a file that ends in .png"),
        (("--text", "cat", "-o", "x.pdf"), "ends in .html"),
        (("--text", ""), "the text is empty"),
        (("--text", "cat", "-o", "none/x.html"), "folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(loopcell, run, arguments, sentence, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = loopcell("inspect", run, *arguments, "--no-open")
    assert result.exit_code != 0
    assert sentence in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_and_a_file_without_a_sequence(loopcell, run, tmp_path):
    result = loopcell("inspect", tmp_path, "--no-open")
    assert "is not the folder of a run" in result.stderr
    (tmp_path / "config.json").write_text('{"task": "language-model"}')
    result = loopcell("inspect", tmp_path, "--no-open")
    assert "has no row of metrics yet" in result.stderr
    result = loopcell("inspect", run / "model.safetensors", "--no-open")
    assert "give --text TEXT" in result.stderr


def test_the_flag_of_watching(loopcell, tmp_path):
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 40)
    small = ["--hidden", "4", "--layers", "1", "--max-steps", "4", "--seq-length", "8", "--batch-size", "2"]
    for watch, there in (("0", False), ("2", True)):
        run = tmp_path / f"run{watch}"
        result = loopcell("train", "lm", tmp_path / "a.txt", *small, "--watch", watch, "--run", run)
        assert result.exit_code == 0, result.output
        assert (run / "watched.csv").exists() == there


def test_the_forms_have_modules_of_their_own():
    """Each is small and says what it refuses; `loopcell.cli.inspect` only chooses."""
    for module in (inspect_files, inspect_gradients, inspect_run, inspect_sequence):
        assert len((module.__doc__ or "").splitlines()) >= 1
