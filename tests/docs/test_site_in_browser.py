"""The site in a real browser, from the disk: quiet, searched, read in the other language, and by everybody."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.browser import serious_violations

pytestmark = pytest.mark.slow

DESKTOP, PHONE = {"width": 1300, "height": 844}, {"width": 390, "height": 844}


@contextmanager
def opened(browser, site, name, size=DESKTOP, scheme="light"):
    """A page of the site, with a check that it said nothing to the console and asked nobody for anything."""
    page = browser.new_page(viewport=size, color_scheme=scheme)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url))
    page.goto((site / name).as_uri())
    yield page
    page.close()
    assert [complaint for complaint in complaints if not complaint.startswith(site.as_uri())] == []


@pytest.mark.parametrize(
    ("name", "size", "scheme", "word", "heading"),
    [
        ("ko/glossary.html", DESKTOP, "light", "병목", "문맥 벡터는 병목이다"),
        ("glossary.html", PHONE, "dark", "bottleneck", "The context vector is a bottleneck"),
    ],
)
def test_the_search_finds_in_either_language(site, browser, name, size, scheme, word, heading):
    with opened(browser, site, name, size, scheme) as page:
        page.keyboard.press("/")
        page.get_by_role("combobox").fill(word)
        found = page.get_by_role("option").filter(has_text=heading).first
        found.wait_for(timeout=10_000)
        folder = "ko/" if name.startswith("ko/") else ""
        assert found.get_attribute("href").startswith(f"{site.as_uri()}/{folder}concepts/encoder-decoder.html#")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_other_language_is_a_key_away(site, browser, size):
    with opened(browser, site, "concepts/many-to-one.html", size) as page:
        assert page.get_by_role("link", name="한국어", exact=True).is_visible()
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip() == "한국어":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/ko/concepts/many-to-one.html")
        page.get_by_role("link", name="English", exact=True).click()
        page.wait_for_url("**/site/concepts/many-to-one.html")


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("how-to/classify-sequences.html", [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark"), (PHONE, "light")]),
        ("ko/index.html", [(DESKTOP, "dark"), (PHONE, "light")]),
        ("concepts/what-a-cell-is.html", [(DESKTOP, "light"), (PHONE, "dark")]),
        ("reference/names/loopcell.training.html", [(DESKTOP, "dark"), (PHONE, "light")]),
        ("reference/commands.html", [(PHONE, "dark")]),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(site, browser, modules, name, modes):
    with opened(browser, site, name) as page:
        page.add_style_tag(content="* { transition: none !important; }")  # colours that are on their way
        for size, scheme in modes:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert serious_violations(page, modules) == {}
