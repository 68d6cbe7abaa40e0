import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell.cli import app


def _facts(page):
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text(encoding="utf-8"))
    return json.loads(found.group(1))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """A file of reviews, and the run of a classifier of them; not to be changed."""
    folder = tmp_path_factory.mktemp("reviews")
    words = ["good day", "bad day", "great", "awful", "nice cat", "grim dog"]
    (folder / "reviews.csv").write_text("text,mood\n" + "".join(f"{word},{word[0]}\n" for word in words * 10))
    small = ["--hidden", "8", "--epochs", "2", "--seed", "1", "--run", str(folder / "run")]
    arguments = ["train", "classify", str(folder / "reviews.csv"), "--input", "text", "--label", "mood", *small]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return folder


def test_a_language_model_is_looked_into(loopcell, run, tmp_path):
    page, arrays = tmp_path / "lm.html", tmp_path / "lm.npz"
    result = loopcell("inspect", run, "--text", "the cat sat", "-o", page, "--npz", arrays, "--no-open")
    assert result.exit_code == 0, result.output
    facts = _facts(page)
    assert facts["steps"] == list("the cat sat")
    assert facts["predicted"] == "next"
    assert len(facts["predictions"]) == 11
    assert set(facts["traces"]) == {"surprise (bits)", "probability"}
    for (label, probability), *_ in facts["predictions"]:
        assert 0 < probability <= 1
        assert len(label) == 1
    with np.load(arrays) as found:
        assert found["recurrent, layer 0/f"].shape == (11, 12)


def test_a_row_of_a_file_is_looked_into(loopcell, reviews, tmp_path):
    page = tmp_path / "row.html"
    data = reviews / "reviews.csv"
    result = loopcell("inspect", reviews / "run", "--data", data, "--row", "3", "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    facts = _facts(page)
    assert "".join(facts["steps"]) == "great"
    assert sorted(label for label, _ in facts["answer"]) == ["a", "b", "g", "n"]
    assert sum(probability for _, probability in facts["answer"]) == pytest.approx(1)


def test_a_window_is_shown_and_said(loopcell, run, tmp_path):
    page = tmp_path / "part.html"
    result = loopcell("inspect", run, "--text", "the cat sat", "--part", "4:7", "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    assert _facts(page)["steps"] == list("cat")
    assert _facts(page)["notes"] == ["steps 4 to 6 of 11 are shown"]


def test_a_language_model_runs_in_a_live_page(loopcell, run, tmp_path):
    page = tmp_path / "live.html"
    result = loopcell("inspect", run, "--live", "--text", "the cat", "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    facts = _facts(page)
    assert facts["text"] == "the cat"
    assert facts["graphs"][0]["results"].keys() == {"output", "state.h", "state.c"}


@pytest.mark.parametrize("flags", [(), ("--gradients",), ("--live",)])
def test_unknown_tokens_are_said(loopcell, run, tmp_path, flags):
    page = tmp_path / "page.html"
    result = loopcell("inspect", run, "--text", "the 한글 모름 cat", *flags, "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    assert "note: 4 tokens were never seen in training and count as unknown" in result.stderr
    known = loopcell("inspect", run, "--text", "the cat", *flags, "-o", page, "--no-open")
    assert "never seen" not in known.stderr


def test_unknown_tokens_of_a_row_are_said_and_the_title_names_the_run(loopcell, reviews, tmp_path):
    page = tmp_path / "row.html"
    result = loopcell("inspect", reviews / "run", "--text", "bad Zoo!", "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    assert "note: 2 tokens were never seen in training and count as unknown" in result.stderr
    assert _facts(page)["notes"] == ["2 tokens were never seen in training and read as unknown"]
    assert _facts(page)["title"] == "SequenceClassifier · run"


def test_a_live_page_is_for_language_models_and_their_text(loopcell, run, reviews):
    result = loopcell("inspect", run, "--live", "--part", "0:3", "--no-open")
    assert "it takes --text and --output, not --part" in result.output
    result = loopcell("inspect", reviews / "run", "--live", "--no-open")
    assert "a SequenceClassifier has no live page: --live is for a language model" in result.output


def test_a_row_that_is_not_there(loopcell, reviews, tmp_path):
    data = reviews / "reviews.csv"
    result = loopcell("inspect", reviews / "run", "--data", data, "--row", "99", "--no-open", "-o", tmp_path / "x.html")
    assert "has 60 rows, and --row asks for row 99" in " ".join(result.stderr.split())
