"""The glossary says the same in both languages."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

ROW = re.compile(r"^\| (?P<term>[^|(]+?)(?: \(.*?\))? \| (?P<meaning>.+?) \| \[`(?P<where>.+?)`\]\((?P<link>.+?)\) \|$")


def rows(page):
    """The terms, with what stands beside each."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]  # under the head
    found = [ROW.match(line) for line in table]
    assert all(found), [line for line, row in zip(table, found, strict=True) if not row]
    return {row["term"]: row for row in found}


def test_both_languages_have_the_same_terms_and_rooms():
    english, korean = rows("glossary.md"), rows("glossary.ko.md")
    assert list(english) == sorted(english)
    assert [(term, row["where"], row["link"]) for term, row in english.items()] == [
        (term, row["where"], row["link"]) for term, row in korean.items()
    ]


def test_a_meaning_is_one_or_two_sentences_in_its_language():
    for page, language in (("glossary.md", r"[A-Za-z]"), ("glossary.ko.md", r"[가-힣]")):
        for term, row in rows(page).items():
            assert re.search(language, row["meaning"]), (page, term)
            assert row["meaning"].endswith((".", "`.")), (page, term)
            assert 1 <= len(re.findall(r"[.](?= |$)", row["meaning"])) <= 3, (page, term)


def test_the_room_that_is_named_is_the_one_that_is_linked():
    for page in ("glossary.md", "glossary.ko.md"):
        assert [row["link"] for row in rows(page).values()] == [
            f"../src/loopcell/{row['where']}" for row in rows(page).values()
        ]
