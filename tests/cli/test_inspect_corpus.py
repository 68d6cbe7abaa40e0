"""`loopcell inspect --corpus`: a pattern found elsewhere, and units that track something."""

import json
import re

import pytest

from tests.cli.conftest import TEXT

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "more.txt"
    path.write_text(TEXT[:1500], encoding="utf-8")
    return path


def _facts(page):
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text(encoding="utf-8"))
    return json.loads(found.group(1))


def test_a_part_of_the_text_is_found_elsewhere(loopcell, run, corpus, tmp_path):
    page, states = tmp_path / "page.html", tmp_path / "states.arrow"
    word = TEXT.split()[1]
    arguments = ("inspect", run, "--corpus", corpus, "--states", states, "-o", page, "--no-open")
    result = loopcell(*arguments, "--text", TEXT[:40], "--find", word, "--quantity", "h", "--matches", "5")
    assert result.exit_code == 0, result.output
    assert f"wrote {states}" in result.stdout
    assert "pattern: layer0.h[" in result.stdout
    facts = _facts(page)
    assert facts["steps"] == list(TEXT[:40])
    start = TEXT.index(word)
    assert facts["matches"]["interval"] == [start, start + len(word)]
    assert 1 <= len(facts["matches"]["found"]) <= 5
    best = facts["matches"]["found"][0]
    assert f"«{best['text'][1]}»".replace("\n", "⏎") in result.stdout
    assert f"  sequence 1, step {best['start']:,}  " in result.stdout
    assert facts["title"] == "LanguageModel · cats"
    # The states are taken from the file; without a text the first place in the corpus is inspected.
    result = loopcell(*arguments, "--find", word, "--quantity", "h")
    assert result.exit_code == 0, result.output
    assert "".join(_facts(page)["steps"]) == TEXT[: start + len(word) + 200]
    result = loopcell(*arguments, "--find", "layer0.h[1]>0 layer0.h[2]<0.5")
    assert result.exit_code == 0, result.output
    assert [unit["unit"] for unit in _facts(page)["matches"]["units"]] == [1, 2]
    other = tmp_path / "other.txt"
    other.write_text(TEXT[:300])
    result = loopcell("inspect", run, "--corpus", other, "--states", states, "--find", word, "--no-open")
    assert "has the states of another corpus: name another file" in " ".join(result.stderr.split())


def test_units_that_track_something_need_no_page(loopcell, run, corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = loopcell("inspect", run, "--corpus", corpus, "--track", r"\w+", "--since", " ", "--no-open")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == r"steps inside \w+"
    assert "AUC on the first 750 steps" in lines[1]
    assert re.fullmatch(r"  [01]\.\d{4}  [01]\.\d{4}  layer0\.[hc]\[\d+\]( \(low inside\))?", lines[2])
    assert lines[12].endswith("each step's token alone")
    assert lines[13] == "steps since  "
    assert not list(tmp_path.iterdir())
    arguments = ("--quantity", "c", "--text", "cat", "--no-open")
    result = loopcell("inspect", run, "--corpus", corpus, "--track", r"\w+", *arguments)
    assert result.exit_code == 0, result.output
    assert "layer0.h" not in result.stdout
    assert _facts(tmp_path / "inspection.html")["matches"] is None


def test_a_pattern_that_is_nowhere_writes_no_page_and_says_so(loopcell, run, corpus, tmp_path):
    page = tmp_path / "page.html"
    arguments = ("--corpus", corpus, "--find", "layer0.h[0]>1e10", "-o", page, "--no-open")
    result = loopcell("inspect", run, *arguments)
    assert result.exit_code == 0, result.output
    assert "never on together in 1,500 steps" in result.stdout
    assert "no page is written: the corpus has no place to show" in " ".join(result.stderr.split())
    assert "Warning" not in result.stderr
    assert not page.exists()


def test_rows_of_a_file_are_a_corpus_too(loopcell, tmp_path):
    words = ["good day", "bad day", "great", "awful", "nice cat", "grim dog"]
    data, page = tmp_path / "reviews.csv", tmp_path / "page.html"
    data.write_text("text,mood\n" + "".join(f"{word},{word[0]}\n" for word in words * 10))
    small = ["--hidden", "8", "--epochs", "2", "--seed", "1", "--run", tmp_path / "run"]
    result = loopcell("train", "classify", data, "--input", "text", "--label", "mood", *small)
    assert result.exit_code == 0, result.output
    arguments = ("--find", "day", "--matches", "3", "-o", page, "--no-open")
    result = loopcell("inspect", tmp_path / "run", "--corpus", data, *arguments)
    assert result.exit_code == 0, result.output
    assert "".join(_facts(page)["steps"]) == "good day"
    assert [place["text"][1] for place in _facts(page)["matches"]["found"]] == ["day"] * 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--find", "cat"), "--find looks through a corpus: give --corpus FILE"),
        (("--corpus", "CORPUS"), "--find TEXT, --track REGEX or --since REGEX"),
        (("--corpus", "CORPUS", "--find", "zebra"), "'zebra' stands nowhere in"),
        (("--corpus", "CORPUS", "--find", "cat", "--text", "dog"), "'cat' stands nowhere in the sequence"),
        (("--corpus", "CORPUS", "--find", "1:3"), "give it with --text, or --data and --row"),
        (("--corpus", "CORPUS", "--find", "2:2", "--text", "the cat"), "an interval of the 7 steps"),
        (("--corpus", "CORPUS", "--find", "layer0.h[99]>1"), "layer0.h has no unit 99"),
        (("--corpus", "CORPUS", "--find", "layer0.h[1] is on"), "is no pattern; write layer1.c[12]>0.5"),
        (("--corpus", "CORPUS", "--find", "at", "--threshold", "99"), "off around them at 99: choose another"),
        (("--corpus", "CORPUS", "--find", "at", "--quantity", "q"), "has no value named 'q'"),
        (("--corpus", "CORPUS", "--track", "("), "is no regular expression"),
        (("--corpus", "CORPUS", "--track", "zebra"), "--track 'zebra' matches no character of"),
        (("--corpus", "CORPUS", "--track", "^"), "--track '^' matches no character of"),
        (("--corpus", "CORPUS", "--since", "zebra"), "--since 'zebra' matches nowhere in"),
        (("--corpus", "none.txt", "--track", ""), "--track is empty: give a regular expression"),
        (("--corpus", "none.txt", "--since", ""), "--since is empty: give a regular expression"),
        (("--corpus", "none.txt", "--track", "cat", "-o", "page.html"), "--output is of a page, and units that track"),
        (("--corpus", "none.txt", "--since", "cat", "--npz", "a.npz"), "with --text TEXT, or --data FILE and --row"),
        (("--corpus", "none.txt", "--since", "cat", "--part", "0:3"), "--part is of a page"),
        (("--corpus", "CORPUS", "--find", "layer0.h[0]<1e999"), "1e999 is larger than a number can be"),
        (("--corpus", "CORPUS", "--find", "at", "--threshold", "1e300"), "off around them at 1e+300: choose another"),
        (("--corpus", "CORPUS", "--track", "cat", "--layer", "7"), "no such states are stored; there is layer0.h"),
        (("--corpus", "EMPTY", "--track", "cat"), "is empty"),
        (("--corpus", "none.txt", "--track", "cat"), "there is no file none.txt"),
        (("--corpus", "CORPUS", "--track", "cat", "--states", "none/s.arrow"), "its folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(loopcell, run, corpus, arguments, sentence, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("")
    files = {"CORPUS": corpus, "EMPTY": "empty"}
    result = loopcell("inspect", run, *(files.get(argument, argument) for argument in arguments), "--no-open")
    assert result.exit_code != 0
    assert sentence in " ".join(result.stderr.split())
    assert "not expected" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_corpus_of_another_kind_is_said(loopcell, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ko.txt").write_text("영화가 좋다\n재미있다\n", encoding="utf-8")
    result = loopcell("inspect", run, "--corpus", "ko.txt", "--track", "^.", "--no-open")
    assert "tokens were never seen in training" in result.stderr
    assert "more than half of the corpus is unknown to the model" in result.stderr
