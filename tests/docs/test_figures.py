"""Figures in prose are those of the result files, and the paper's citations resolve."""

from __future__ import annotations

import json
import re
from functools import reduce

import pytest

from benchmarks import report
from benchmarks.results import MACHINES, RESULTS, rows_of
from benchmarks.tables import summary
from tests.docs.pages import ROOT

PUBLISHED = min(MACHINES.iterdir())
"""The machine of which the front pages have the table: the first by name."""


def training_ratios(suite, peer):
    """How many times longer a peer trained, the least and the most."""
    found = [row["ratios"][peer]["median"] for row in rows_of(PUBLISHED / f"{suite}.json") if row["job"] == "training"]
    return min(found), max(found)


def recipe(name, *keys):
    content = json.loads((RESULTS / "recipes" / f"{name}.json").read_text(encoding="utf-8"))
    return reduce(lambda found, key: found[key], keys, content)


def quoted():
    """What the front pages say, from the results: English, Korean."""
    loop, packed = training_ratios("custom", "Python loop"), training_ratios("ragged", "torch.nn, PackedSequence")
    bleu = recipe("german_english", "figures", "BLEU")
    pixels, reviews = (recipe(name, "figures", "accuracy") for name in ("digits_by_pixels", "korean_sentiment"))
    n_grams = recipe("korean_sentiment", "table", "n-gram logistic", "accuracy")
    return [
        (f"{loop[0]:.1f} to {loop[1]:.1f} times", f"{loop[0]:.1f}~{loop[1]:.1f}배"),
        (f"{packed[0]:.0f} to {packed[1]:.0f} times", f"{packed[0]:.0f}~{packed[1]:.0f}배"),
        (f"BLEU {bleu:.1f}",) * 2,
        (f"{100 * pixels:.1f}%",) * 2,
        (f"{100 * reviews:.1f}%",) * 2,
        (f"{100 * n_grams:.1f}%",) * 2,
    ]


@pytest.mark.parametrize("page", report.FRONT, ids=lambda page: page.name)
def test_the_table_of_a_front_page_is_that_of_the_grid(page):
    table = summary(rows_of(PUBLISHED / "grid.json"), report.FRONT[page])
    assert f"<!-- figures: summary -->\n\n{table}\n\n<!-- figures: end -->" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "language"), [("README.md", 0), ("README.ko.md", 1)])
def test_a_front_page_quotes_the_results(name, language):
    text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    assert [words[language] for words in quoted() if words[language] not in text] == []


PAPER = ROOT / "paper"


def test_the_paper_quotes_the_results():
    text = (PAPER / "paper.md").read_text(encoding="utf-8")
    prose = " ".join(text.split())
    assert [words[0] for words in quoted() if words[0] not in prose] == []
    words = ("", "sequences", "one step", "forward", "training")
    rows = summary(rows_of(PUBLISHED / "grid.json"), words).splitlines()[2:8]
    assert "\n".join(rows).replace(", sequences", "") in text


def test_what_the_paper_cites_is_in_its_bibliography_and_nothing_else_is():
    text, bibliography = ((PAPER / name).read_text(encoding="utf-8") for name in ("paper.md", "paper.bib"))
    cited = set(re.findall(r"@([a-z]+)", text.partition("\n---\n")[2]))
    entries = re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", bibliography, flags=re.DOTALL | re.MULTILINE)
    assert cited == {key for key, _ in entries}
    assert len(entries) == bibliography.count("\n@") + 1
    for key, fields in entries:
        assert "title = {" in fields, key
        assert "author = {" in fields, key
        assert re.search(r"^  (url|eprint|booktitle) = \{.+\}", fields, flags=re.MULTILINE), key


def test_the_paper_has_the_sections_that_its_journal_asks_for():
    text = (PAPER / "paper.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^# (.+)$", text, flags=re.MULTILINE))
    assert {"Summary", "Statement of need", "State of the field", "References"} <= sections
    assert "bibliography: paper.bib" in text


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_the_errors_below_the_picture_were_measured():
    error = {row["cell"]: row["mean squared error"] for row in rows_of(RESULTS / "front_page.json")}
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"its mean squared error is {error['gru']:.5f}; the RNN says the mean, {error['rnn']:.3f}." in text


@pytest.mark.parametrize("page", ["what-a-gate-learned.md", "what-a-gate-learned.ko.md"])
def test_the_page_of_what_a_gate_learned_quotes_the_results(page):
    text = (ROOT / "docs" / "concepts" / page).read_text(encoding="utf-8")
    results = json.loads((RESULTS / "matched_unit.json").read_text(encoding="utf-8"))
    found = [row for model in ("shakespeare", "nsmc") for row in results[model]["tracked"].values()]
    assert len(found) == 7
    names = ("first half", "second half, held out", "token alone, held out")
    for row in found:
        unit = row["unit"].lstrip("-")
        low = {"": ", low inside", ".ko": ", 안에서 낮음"}[page[len("what-a-gate-learned") : -3]]
        first, second, token = (f"{row[name]:.4f}" for name in names)
        shown = re.escape(f"| `{unit}`{low if row['unit'].startswith('-') else ''} | {first} | ")
        assert re.search(rf"{shown}(\*\*)?{second}(\*\*)? \| {token} \|", text), row
    course = results["shakespeare"]["course"]
    for name in "cfig":
        numbers = " | ".join(f"{value:.1f}".replace("-0.0", "0.0").replace("-", "−") for value in course[name])
        assert f"| {name} | {numbers} |" in text
    assert all(re.fullmatch(r"(?s).*\|[A-Z ]+:\|.*", place) for place in results["shakespeare"]["matched"]["best"])
