"""The Korean pages follow the English ones."""

from __future__ import annotations

import pytest

from tests.docs.pages import ROOT, pages
from tests.docs.test_paths import LINK, prose
from tests.docs.twins import KOREAN, difference, runs_as_its_twin, twin

KOREAN_PAGES = [page for page in pages() if page.name.endswith(KOREAN)]
BOTH = [ROOT / "docs" / f"{name}.md" for name in ("README", "first-hour", "glossary", "status")]
BOTH += [page for page in sorted((ROOT / "docs" / "concepts").glob("*.md")) if page not in KOREAN_PAGES]

OF_THEIR_OWN = [ROOT / "README.ko.md", ROOT / "docs/live.ko.md", ROOT / "docs/concepts/what-a-gate-learned.ko.md"]
"""Korean pages whose code is about Korean text, and runs by itself."""


def test_what_a_beginner_reads_is_there_in_both_languages():
    assert [page.name for page in BOTH if not twin(page).exists()] == [], "write these in Korean, too"


@pytest.mark.parametrize("page", KOREAN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_korean_page_has_the_code_of_its_english_page_and_leads_to_korean_ones(page):
    if page not in OF_THEIR_OWN:
        assert difference(page) is None
    assert english_links(page) == [], f"{page.name} links these in English, and they are there in Korean"
    for one, language in ((page, "English"), (twin(page), "한국어")):
        assert f"\n[{language}]({twin(one).name})\n" in one.read_text(encoding="utf-8"), one


def english_links(page):
    """The links of a Korean page to English pages that are there in Korean, too."""
    leads = [link.partition("#")[0] for link in LINK.findall(prose(page)) if "://" not in link]
    others = [lead for lead in leads if lead.endswith(".md") and lead != twin(page).name]
    return [lead for lead in others if not lead.endswith(KOREAN) and twin(page.parent / lead).exists()]


PAGE = '''# A page

```python
def f(x):
    """Says what it does."""
    return x + 1  # one more


assert f"{f(1)} is two" == "2 is two"
```

```console
$ loopcell sample runs/a --prime "the" --length 3  # a start
```

```text
what it says
```
'''


@pytest.fixture
def written(tmp_path):
    """Two pages, from their texts."""

    def write(english, korean):
        page = tmp_path / "page.ko.md"
        page.write_text(korean, encoding="utf-8")
        twin(page).write_text(english, encoding="utf-8")
        return page

    return write


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# one more", "# 하나 더", True),
        ("Says what it does.", "하는 일을 말한다.", True),
        ("what it says", "하는 말", True),
        ('"the"', '"그날 밤"', True),
        ("# a start", "# 시작", True),
        (" is two", "는 둘", False),
    ],
)
def test_comments_and_strings_may_differ_and_other_strings_run_again(written, old, new, same):
    page = written(PAGE, PAGE.replace(old, new))
    assert difference(page) is None
    assert runs_as_its_twin(page) == same
    assert not runs_as_its_twin(twin(page))


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ("--length 3", "--length 4"), ("```console", "<!-- snippet: skip slow -->\n```console")],
)
def test_other_code_is_noticed_with_the_page_and_the_line(written, old, new):
    page = written(PAGE, PAGE.replace(old, new))
    assert difference(page).startswith("page.ko.md:")
    assert "is not that of page.md:" in difference(page)


def test_a_block_that_is_missing_is_noticed(written):
    page = written(PAGE, PAGE.replace("```text\nwhat it says\n```\n", ""))
    assert difference(page).startswith("page.ko.md has 2 blocks of code and page.md has 3;")
