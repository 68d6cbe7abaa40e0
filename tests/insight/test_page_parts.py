"""The page of a model with two halves, in a real browser: each has its steps, and attention is tied to the cursor."""

import numpy as np
import pytest
import torch

import loopcell
from loopcell.insight import AttentionMap, Inspection, Prediction, look_inside
from tests.insight.test_page import opened, read

SOURCE, TARGET = list("abcdef"), ["F", "<b>", "2024-01-21 20:00", "■"]
WEIGHTS = np.array([[0, 0, 0, 0, 0.25, 0.75], [0.1, 0.2, 0.3, 0.4, 0, 0], [1, 0, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0]])


@pytest.fixture(scope="module")
def seen():
    torch.manual_seed(0)
    encoder, decoder = loopcell.GRU(3, 8), loopcell.LSTM(3, 12)
    reading = look_inside(encoder, lambda: encoder(torch.randn(6, 1, 3)))
    writing = Inspection(
        "decoder",
        TARGET,
        look_inside(decoder, lambda: decoder(torch.randn(4, 1, 3))),
        {"probability": np.array([0.9, 0.8, 0.7, 0.6])},
        [[Prediction(step, 0.9)] for step in TARGET],
        "here",
        notes=["about the decoder"],
        part="decoder",
        attention=AttentionMap(SOURCE, TARGET, WEIGHTS),
    )
    answer = [Prediction("F<b>", 0.3)]
    return Inspection("two halves", SOURCE, reading, answer=answer, part="encoder", others=[writing])


@pytest.fixture(scope="module")
def path(seen, tmp_path_factory):
    found = tmp_path_factory.mktemp("parts") / "page.html"
    seen.save(found)
    return found


def point_at(page, row, column):
    page.locator("canvas.attention").scroll_into_view_if_needed()
    box = page.locator("canvas.attention").bounding_box()
    width = _width(page, box)
    x = box["x"] + box["width"] - (6 - column - 0.5) * width
    page.mouse.move(x, box["y"] + (row + 0.5) * (box["height"] - 24) / 4)
    page.wait_for_timeout(80)


def _width(page, box):
    """A column's width: what the labels on the left leave, a third of the canvas at most."""
    widest = page.evaluate(
        "(() => { const c = document.createElement('canvas').getContext('2d'); c.font = '12px ui-monospace, monospace';"
        " return c.measureText('2024-01-21 20:00').width; })()"
    )
    return (box["width"] - min(widest + 10, box["width"] / 3)) / 6


def test_each_half_has_its_own_steps_layers_and_predictions(browser, path, seen):
    with opened(browser, path) as page:
        assert page.locator("[data-part]").all_inner_texts() == ["Encoder: what it reads", "Decoder: what it writes"]
        assert page.locator(".range").inner_text() == "steps 0 to 5 of 6"
        assert page.locator("[data-quantity]").all_inner_texts() == ["r", "z", "n", "h"]
        assert page.locator(".answer").inner_text() == "F<b> 30.0%"
        assert page.locator(".note").inner_text() == "about the decoder"
        page.click("[data-part=decoder]")
        page.wait_for_selector(".legend .bar")
        page.wait_for_timeout(300)
        assert page.locator("[data-part=decoder]").get_attribute("aria-pressed") == "true"
        assert page.locator(".range").inner_text() == "steps 0 to 3 of 4"
        page.locator("canvas[tabindex] >> nth=0").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(80)
        found = read(page)
        assert (found["token"], found["probability"]) == ("2024-01-21 20:00", "0.700")  # a time is not cut
        assert float(found["c"]) == pytest.approx(seen.parts["decoder"]["c"][0][2, 0], abs=6e-4)


def test_attention_follows_the_cursor_and_the_cursor_follows_it(browser, path):
    with opened(browser, path) as page:
        page.wait_for_timeout(200)
        said = page.locator(".attended")
        page.locator("canvas[tabindex] >> nth=0").focus()
        page.keyboard.press("ArrowRight")  # from the first step that was read to the second
        page.wait_for_timeout(80)
        assert said.inner_text() == "b is looked at by ■ 50.0%, <b> 20.0%"
        page.click("[data-part=decoder]")
        page.wait_for_selector(".legend .bar")
        page.wait_for_timeout(200)
        point_at(page, 1, 3)
        assert said.inner_text() == "<b> looks at d 40.0%, c 30.0%, b 20.0%, a 10.0% · <b> → d: 40.0%"
        assert read(page)["token"] == "<b>"
        page.keyboard.press("Tab")
        page.locator("canvas.attention").focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(80)
        assert said.inner_text() == "F looks at f 75.0%, e 25.0% · F → e: 25.0%"
        assert read(page)["token"] == "F"
        page.click("#language")
        page.wait_for_selector(".legend .bar")
        page.wait_for_timeout(200)
        assert page.locator("[data-part=decoder]").inner_text() == "디코더: 쓰는 쪽"
        assert page.locator(".attended").inner_text() == "F → 본 곳: f 75.0%, e 25.0%"


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (390, "dark")])
def test_it_fits_a_phone_and_axe_finds_nothing_serious(browser, path, modules, width, scheme):
    with opened(browser, path, width=width, height=844, locale="ko-KR", scheme=scheme) as page:
        page.click("[data-part=decoder]")
        page.wait_for_selector(".legend .bar")
        page.wait_for_timeout(200)
        point_at(page, 2, 0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate((modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then((result) => result.violations)")
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
