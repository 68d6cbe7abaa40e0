"""The live page of a language model, in a real browser."""

import math
import re
from functools import partial

import pytest
import torch

import loopcell
from loopcell.data import CharVocabulary, JamoVocabulary, WordVocabulary
from loopcell.errors import FileWriteError, InputError
from tests.browser import opened as opened_page, serious_violations
from tests.insight.test_live_numbers import ENGLISH, KOREAN, untrained

TEXT = "the cat sat on the mat. the dog ate the"


@pytest.fixture(autouse=True)
def _reference():
    """No kernel is compiled for the few steps of a test."""
    with loopcell.backend("reference"):
        yield


@pytest.fixture(scope="module")
def model():
    return untrained(CharVocabulary.build([ENGLISH]), cell="lstm", hidden_size=16, num_layers=2, embedding_size=8)


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    found = tmp_path_factory.mktemp("live") / "live.html"
    model.live_page(found, text=TEXT, title="A <b>live</b> page", notes=["of </script> drawn weights"])
    return found


opened = partial(opened_page, wait=lambda page: page.wait_for_selector(".marks span"))


def check_shares(page, model, text):
    """What comes next stands there, the most probable first, with its probability as in Python."""
    probabilities, tokens = torch.from_numpy(model.predict_proba(text)[0]).topk(8)
    rows = [row.split("\n") for row in page.locator(".next li").all_inner_texts()]
    labels = [model.vocabulary_.decode([int(token)]) for token in tokens]
    assert [row[0] for row in rows] == [{" ": "␣", "\n": "⏎"}.get(label, label) for label in labels]
    assert [float(row[-1].rstrip("%")) for row in rows] == pytest.approx((100 * probabilities).tolist(), abs=0.06)


def value_at(page, column, row, *, columns=24, rows=16):
    """The number under the pointer, as the page tells it."""
    box = page.locator("canvas[tabindex]").bounding_box()
    x, y = (column + 0.5) * box["width"] / columns, (row + 0.5) * (box["height"] - 40) / rows
    page.mouse.move(box["x"] + x, box["y"] + y)
    return page.locator(".picture .small").inner_text()


def test_what_is_typed_is_read_by_the_model_as_in_python(browser, path, model):
    with opened(browser, path) as page:
        check_shares(page, model, TEXT)
        page.locator("#text").press("Control+End")
        page.keyboard.type(" cat")
        check_shares(page, model, TEXT + " cat")
        page.fill("#text", "cat")
        check_shares(page, model, "cat")
        seen = model.inspect("cat").layers
        assert value_at(page, 2, 5) == f"i[5] at t: {seen[0].quantities['i'][2, 5]:.3f}"
        page.click("[data-quantity='c']")
        page.select_option(".above select", "1")
        number = float(value_at(page, 1, 3).removeprefix("c[3] at a: "))
        assert number == pytest.approx(seen[1].quantities["c"][1, 3], abs=6e-4)
        page.locator("canvas[tabindex]").press("ArrowRight")
        assert page.locator(".picture .small").inner_text().startswith("c[3] at t: ")
        page.fill("#text", "")
        assert page.locator(".next li").count() == 0
        assert page.locator("#write").is_disabled()


def test_knobs_change_the_model_and_reset_brings_it_back(browser, path, model):
    with opened(browser, path) as page:
        before = page.locator(".marks >> nth=0").inner_text()
        page.fill("#bias", "-3")
        net = model.network_.recurrent
        with torch.no_grad():
            for layer in range(2):
                net.weights(layer, 0)["b.f"].sub_(3)
            check_shares(page, model, TEXT)
            for layer in range(2):
                net.weights(layer, 0)["b.f"].add_(3)
        page.wait_for_function("(text) => document.querySelector('.marks').innerText !== text", arg=before)
        radius = float(re.search(r"U\.i (\S+?),", page.locator(".knobs .small").inner_text())[1])
        matrix = net.weights(0, 0)["U.i"].detach()
        assert radius == pytest.approx(float(torch.linalg.eigvals(matrix).abs().max()), abs=0.006)
        page.select_option(".knobs select >> nth=0", "f = 1")
        assert page.locator("[data-quantity='f']").count() == 0
        assert "1⊙" in page.locator(".equations").inner_text().replace("\n", "").replace(" ", "")
        page.select_option(".knobs select >> nth=0", "o = 0")
        page.get_by_text("h: no gradient arrives").wait_for()
        page.click("#reset")
        check_shares(page, model, TEXT)
        page.wait_for_function("(text) => document.querySelector('.marks').innerText === text", arg=before)


def test_what_is_drawn_follows_from_the_seed_and_the_temperature(browser, path, model):
    with opened(browser, path) as page:
        page.fill("#temperature", "0")
        page.fill("#seed", "7")
        page.click("#write")
        assert page.locator("#text").input_value() == model.sample(TEXT, length=80, temperature=0.0)
        drawn = []
        for seed in ("1", "1", "2"):
            page.fill("#text", TEXT)
            page.fill("#temperature", "1")
            page.fill("#seed", seed)
            page.locator("#seed").press("Tab")
            page.click("#write")
            drawn.append(page.locator("#text").input_value())
        assert drawn[0] == drawn[1] != drawn[2]
        assert all(len(text) == len(TEXT) + 80 for text in drawn)
        for _ in range(5):
            page.click("#write")
        assert len(page.locator("#text").input_value()) == 400


def test_questions_are_measured_after_the_answer(browser, path):
    with opened(browser, path) as page:
        asked = page.locator(".questions li")
        page.wait_for_function("() => !document.querySelector('.questions button').disabled")
        assert asked.count() == 6
        assert not any(asked.locator(".result").all_inner_texts())
        truths = {}
        for place in range(6):
            asked.nth(place).locator("[data-choice='same']").click()
            said = asked.nth(place).locator(".result").inner_text()
            before, after = map(float, re.search(r"Before (\S+), then (\S+)\.", said).groups())
            name = "same" if math.isclose(before, after, rel_tol=0.05) else "larger" if after > before else "smaller"
            words = {"same": "about the same (within 5%)", "larger": "larger", "smaller": "smaller"}
            assert said.startswith(f"{'Right' if name == 'same' else 'No'}: {words[name]}.")
            truths[asked.nth(place).get_attribute("data-question")] = name
        assert truths["clips"] == "same"  # what is clipped on the way back changes nothing that was said
        assert truths["variant"] == "larger"  # an open forget gate hands all of it on
        assert page.locator(".score").inner_text().startswith(f"{list(truths.values()).count('same')} of 6 right")
        page.locator("[data-question='variant'] .result button").click()
        assert page.locator(".knobs select >> nth=0").input_value() == "f = 1"
        page.locator(".score button").click()
        assert not any(asked.locator(".result").all_inner_texts())
        page.fill("#text", "short")
        page.wait_for_function("() => document.querySelector('.questions button').disabled")


def test_language_and_theme_keep_the_text(browser, path):
    with opened(browser, path, fragment="#ko") as page:
        assert page.evaluate("document.documentElement.lang") == "ko"
        page.fill("#text", "the dog")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        page.click("#language")
        assert page.locator("#text").input_value() == "the dog"
        assert page.locator("h2 >> nth=0").inner_text() == "What comes next"
        assert page.locator("h1").inner_text() == "A <b>live</b> page"


@pytest.mark.parametrize(("width", "height", "scheme"), [(1300, 900, "light"), (390, 844, "dark")])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, path, modules, width, height, scheme):
    with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
        page.locator("[data-choice='same']").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page, modules) == {}


def test_a_key_is_drawn_at_once_and_hangul_is_read_as_jamo(browser, tmp_path):
    model = untrained(JamoVocabulary.build([KOREAN]), cell="gru", hidden_size=64, num_layers=1)
    model.live_page(tmp_path / "live.html", text="좋은 영화")
    with opened(browser, tmp_path / "live.html") as page:
        page.locator("#text").press("Control+End")
        for syllable in "였습니다 정말 좋은 영화였습니다":
            page.keyboard.insert_text(syllable)
        check_shares(page, model, "좋은 영화였습니다 정말 좋은 영화였습니다")
        keys = sorted(page.evaluate("performance.getEntriesByName('key').map((key) => key.duration)"))
        assert keys[len(keys) // 2] < 100  # ms, on a machine with other work; benchmarks/insight.py measures it alone


def test_what_a_page_cannot_run_is_refused(model, tmp_path):
    big = untrained(CharVocabulary.build([ENGLISH]), cell="gru", hidden_size=900, num_layers=1)
    with pytest.raises(InputError, match=r"at most 2,000,000 weights, and this model has [\d,]+: train a smaller one"):
        big.live_page(tmp_path / "live.html")
    words = untrained(WordVocabulary.build([ENGLISH]), cell="gru", hidden_size=4, num_layers=1)
    with pytest.raises(InputError, match="reads tokens of the kinds char, byte, jamo, and this model's are word"):
        words.live_page(tmp_path / "live.html")
    with pytest.raises(InputError, match="begins with at most 400 characters of text, and there are 1,000"):
        model.live_page(tmp_path / "live.html", text="x" * 1000)
    with pytest.raises(FileWriteError, match="folder does not exist"):
        model.live_page(tmp_path / "none" / "live.html")
    assert not (tmp_path / "live.html").exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    broken = untrained(CharVocabulary.build([ENGLISH]), cell="rnn", hidden_size=3, num_layers=1)
    with torch.no_grad():
        broken.network_.head.bias[0] = math.nan
    with pytest.raises(InputError, match="not finite"):
        broken.live_page(tmp_path / "live.html")
