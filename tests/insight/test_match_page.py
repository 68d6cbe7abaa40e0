"""The panel of matches on the page of an inspection, in a real browser."""

import numpy as np
import pytest

from loopcell import cells
from loopcell.insight import Inspection, LayerView, Pattern, match
from tests.insight.stored import stored
from tests.insight.test_page import opened

pytest.importorskip("pyarrow")
TEXT = "ab\nROMEO:\nO, she doth teach the torches to burn bright!\nJULIET:\n<b>Ay</b> me!\n한글\nPARIS:"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    names = np.array([letter.isupper() or letter == ":" for letter in TEXT])
    noise = np.random.default_rng(0).normal(size=(len(TEXT), 16)) / 50
    states = (noise + np.outer(names, np.arange(16) % 3 - 1)).astype(np.float32)
    states[40, 5] = np.nan
    store = stored(tmp_path_factory.mktemp("states") / "s.arrow", (TEXT, [{}, {"h": states, "c": states}]))
    cell = cells.get("lstm")
    layers = [
        LayerView("nothing named", cell, {}),
        LayerView("layer 1", cell, {"h": np.zeros_like(states), "c": states}),
    ]
    inspection = Inspection("a model", list(TEXT), layers)
    return inspection.with_matches(match(store, Pattern.of(inspection, 3, 9)))


@pytest.fixture(scope="module")
def path(seen, tmp_path_factory):
    found = tmp_path_factory.mktemp("page") / "page.html"
    seen.save(found)
    return found


def test_the_page_begins_at_the_pattern_and_lists_the_places(browser, path, seen):
    with opened(browser, path) as page:
        assert page.locator("[data-quantity='c']").get_attribute("aria-pressed") == "true"
        assert page.locator(".range").inner_text() == f"steps 0 to 48 of {len(TEXT)}"
        units = [each.unit for each in seen.matches.pattern.conditions]
        assert page.locator(".picked").inner_text().split() == [f"c[{unit}]" for unit in units[:4]]
        assert page.locator(".matches .units code").all_inner_texts() == [
            str(each) for each in seen.matches.pattern.conditions
        ]
        said = page.locator(".matches .drawn").inner_text()
        assert said == f"The course draws 4 of these {len(units)} units; click a unit in the picture to draw another."
        marks = page.locator(".matches mark").all_inner_texts()
        assert marks[0] == "ROMEO:"
        assert {"JULIET:", "PARIS:"} <= set(marks)
        assert len(marks) == len(seen.matches.found)
        assert page.locator(".matches .score >> nth=0").inner_text() == "1.00"
        juliet = page.locator(".matches li", has=page.locator("mark", has_text="JULIET:"))
        assert juliet.locator(".after").inner_text() == "⏎<b>Ay</b>␣me!⏎한글⏎PARIS:"
        page.select_option(".controls select >> nth=0", "0")
        page.get_by_role("button", name="Show all").click()
        page.get_by_role("button", name="Show the pattern in the picture").click()
        page.wait_for_selector(".legend .bar")
        page.wait_for_timeout(60)
        assert page.locator(".range").inner_text() == f"steps 0 to 48 of {len(TEXT)}"
        assert page.evaluate("document.activeElement.tagName") == "CANVAS"


def test_a_place_opens_with_its_units_from_the_keyboard(browser, path, seen):
    with opened(browser, path, locale="ko-KR") as page:
        page.locator(".matches summary >> nth=1").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".matches canvas")
        place = seen.matches.found[1]
        assert page.locator(".matches .place").inner_text() == f"시퀀스 1, 스텝 {place.start}"
        assert page.locator(".matches .closer li").count() == len(seen.matches.pattern.conditions)
        size = page.evaluate(
            "(() => { const c = document.querySelector('.matches canvas'); return [c.width, c.height]; })()"
        )
        assert size == [len(place.tokens), len(seen.matches.pattern.conditions)]
        pixel = page.evaluate(
            "(x) => [...document.querySelector('.matches canvas').getContext('2d').getImageData(x, 0, 1, 1).data]",
            place.start - place.first,
        )
        value = place.values[place.start - place.first, 0]
        assert (pixel[0] > pixel[2]) == (value > 0)  # orange above zero, blue below
        page.keyboard.press("Enter")
        assert not page.locator(".matches details >> nth=1").get_attribute("open")


@pytest.mark.parametrize(("width", "height", "scheme"), [(1300, 900, "light"), (390, 844, "dark")])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, path, modules, width, height, scheme):
    with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
        page.click(".matches summary >> nth=0")
        page.wait_for_selector(".matches canvas")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate((modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then((result) => result.violations)")
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_a_pattern_that_is_nowhere_else_is_said_and_a_window_moves_it(browser, seen, tmp_path):
    pattern = seen.matches.pattern
    nowhere = Pattern.parse("layer1.c[0]>9")
    from dataclasses import replace

    found = replace(seen.matches, pattern=replace(nowhere, interval=pattern.interval), found=(), count=0)
    window = seen.with_matches(found).window(2, 30)
    assert window.matches.pattern.interval == (1, 7)
    window.save(tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        assert "never on together" in page.locator(".matches").inner_text()
        assert page.locator(".matches li").count() == 0
