"""The documentation site: built without a warning, in both languages, and whole without a network."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from loopcell import LanguageModel
from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "use": "href"}
POINTERS = frozenset({"canonical", "alternate", "next", "prev"})  # relations of a <link> that load nothing


class References(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        address = found.get(LOADS.get(tag, ""))
        inside = not address or address.startswith("data:")
        if not inside and not (tag == "link" and found.get("rel") in POINTERS):
            self.loaded.append(address)


def is_there(page, address):
    """Whether an address of the site leads to one of its files."""
    target = page.parent / unquote(urlsplit(address).path)
    return (target / "index.html" if target.is_dir() else target).is_file()


def test_a_page_loads_nothing_from_outside_and_its_links_lead_somewhere(site):
    wrong = []
    # The page of errors is for a server, and names files from its root.
    for page in (path for path in site.rglob("*.html") if path.name != "404.html"):
        found = References(page.read_text(encoding="utf-8"))
        inner = [link for link in found.links if not urlsplit(link).scheme and urlsplit(link).path]
        wrong += [(page.name, address) for address in (*found.loaded, *inner) if not is_there(page, address)]
    assert wrong == []


def test_styles_load_nothing_from_outside(site):
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", sheet.read_text(encoding="utf-8")) == []


def test_every_page_is_there_in_its_languages(site):
    docs = ROOT / "docs"
    own = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md") if path.stem not in ("README", "README.ko")]
    korean = [f"ko/{name.removesuffix('.ko.md')}.html" for name in own if name.endswith(".ko.md")]
    english = [f"{name.removesuffix('.md')}.html" for name in own if not name.endswith(".ko.md")]
    fronts = ["index.html", "ko/index.html", "changes.html", "contributing.html", "contents.html", "ko/contents.html"]
    assert len(korean) >= 10
    assert [name for name in (*fronts, *english, *korean) if not (site / name).is_file()] == []
    for name in korean:
        assert '<html lang="ko"' in (site / name).read_text(encoding="utf-8")


def test_a_page_links_itself_in_the_other_language_or_else_where_that_begins(site):
    # A live page speaks both languages itself.
    for page in (path for path in site.rglob("*.html") if path.name != "404.html" and path.parent.name != "live"):
        name = page.relative_to(site).as_posix()
        twin = name.removeprefix("ko/") if name.startswith("ko/") else f"ko/{name}"
        there = site / (twin if (site / twin).is_file() else "ko/index.html")
        text = page.read_text(encoding="utf-8")
        (link,) = re.findall(r'<a class="md-header__button other-language" href="([^"]+)"', text)
        assert (page.parent / link).resolve() == there.resolve()


def test_the_korean_navigation_has_every_page_and_says_which_are_in_english(site):
    korean = (site / "ko/glossary.html").read_text(encoding="utf-8")
    english = (site / "glossary.html").read_text(encoding="utf-8")
    entry = r'<a href="([^"]+)" class="md-nav__link[^"]*">\s*<span class="md-ellipsis">\s*(.*?)\s*</span>'
    told, pages = (
        {os.path.normpath(link): title for link, title in re.findall(entry, text, flags=re.DOTALL)}
        for text in (korean, english)
    )
    assert len(pages) > 40
    for link, title in pages.items():
        alone = not (site / "ko" / link).is_file()
        assert told.get(f"../{link}" if alone else link, "").endswith("(영어)") == alone, (link, title)


def test_the_reference_is_made_from_the_code(site):
    names = (site / "reference/names/loopcell.html").read_text(encoding="utf-8")
    assert 'id="loopcell.Recurrent"' in names
    assert "read in both directions; the output holds both" in names  # told of an argument by its docstring
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert "loopcell train forecast" in commands
    assert "--picture" in commands
    cells = (site / "reference/cells.html").read_text(encoding="utf-8")
    assert "loopcell explain gru_layer_norm --picture" in cells
    for page in ("concepts/lstm.html", "ko/concepts/lstm.html"):
        concept = (site / page).read_text(encoding="utf-8")
        assert "<title>lstm</title>" in concept
        assert "<mfrac>" in concept
        assert "$$" not in concept
        assert concept.count('<figure class="measured">') == 2
        assert "figures/lstm-gates" not in concept  # it stands in the page itself


@pytest.mark.parametrize(("language", "model", "typed"), [("", "english", "the king"), ("ko/", "korean", "좋은 영화")])
def test_a_live_page_is_one_link_away_and_reads_what_is_typed(site, browser, language, model, typed):
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url))
    page.goto((site / f"{language}live.html").as_uri())
    page.click(f"a[href^='live/{model}.html']")
    page.fill("#text", typed)
    page.wait_for_selector(".next li")
    loaded = LanguageModel.load(ROOT / "docs" / "live" / f"{model}.safetensors")
    most = float(page.locator(".next li").first.inner_text().split("\n")[-1].rstrip("%"))
    assert most == pytest.approx(100 * loaded.predict_proba(typed)[0].max(), abs=0.06)
    assert page.evaluate("document.documentElement.lang") == (language.strip("/") or "en")
    page.close()
    assert [complaint for complaint in complaints if not complaint.startswith(site.as_uri())] == []
