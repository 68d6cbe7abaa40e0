"""The page of a gradient flow in a real browser, and its other forms."""

import csv
import re

import numpy as np
import pytest
import torch

import loopcell
from loopcell.errors import FileWriteError, InputError
from loopcell.insight import gradient_flow
from loopcell.insight.flow_files import COLUMNS
from loopcell.insight.plots import style
from tests.browser import serious_violations
from tests.insight.pages import lines_of, opened

STEPS = 50


@pytest.fixture(scope="module")
def flow():
    torch.manual_seed(0)
    net = loopcell.GRU(3, 8, num_layers=2)
    x = torch.randn(STEPS, 2, 3)
    return gradient_flow(net, x, treatment="chrono").beside(gradient_flow(net, x))


@pytest.fixture(scope="module")
def path(flow, tmp_path_factory):
    found = tmp_path_factory.mktemp("flow") / "flow.html"
    flow.save(found)
    return found


def test_the_verdict_the_norms_and_the_theory_stand_there_before_and_after(browser, path, flow):
    before, after = flow.untreated, flow
    with opened(browser, path) as page:
        items = page.locator("section >> nth=0").locator("li").all_inner_texts()
        assert [item.split(":")[1].strip() for item in items] == ["vanishes", "vanishes", "holds", "holds"]
        assert items[0].endswith("Try chrono initialisation (--treatment chrono).")
        place = page.locator("figure:has(figcaption:text-is('‖dL/dh‖ at each step')) .chart")
        place.focus()
        page.keyboard.press("Home")
        found = lines_of(page, "‖dL/dh‖ at each step")
        first = [flow.layers[0].norms["h"][0] for flow in (before, after)]
        theory = [flow.layers[0].predicted("h")[0] for flow in (before, after)]
        numbers = [float(number) for number in found.replace(",", " ").split() if number[:1].isdigit()]
        assert found.startswith("step 0 ")
        assert numbers[1:] == pytest.approx([first[0], theory[0], first[1], theory[1]], rel=0.02)
        told = page.locator(".facts").inner_text()
        assert [float(number) for number in re.findall(r"-?[0-9.]+(?:e-?[0-9]+)?", told.split("loss ")[1])[:2]] == (
            pytest.approx([before.loss, after.loss], rel=0.01)
        )
        assert page.locator("p.note:has-text('another Jacobian')").count() == 1
        assert "natural log" in page.locator("section >> nth=-1").inner_text()
        slopes = page.locator("section >> nth=-1").locator("td").all_inner_texts()
        assert slopes[1:3] == [f"{flow.layers[0].slope('h'):.4f}" for flow in (before, after)]
        assert f"{before.layers[0].dynamics.lyapunov:.4f}" in slopes


def test_another_layer_language_and_theme(browser, path, flow):
    with opened(browser, path) as page:
        page.select_option(".controls select", "1")
        slopes = page.locator("section >> nth=-1").locator("td").all_inner_texts()
        assert slopes[1] == f"{flow.untreated.layers[1].slope('h'):.4f}"
        page.click("#language")
        assert page.locator("h1").inner_text() == "기울기 흐름: gru"
        assert "소실" in page.locator("li >> nth=0").inner_text()
        assert page.evaluate("document.activeElement.id") == "language"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground


@pytest.mark.parametrize(("width", "height", "scheme"), [(1300, 900, "light"), (390, 844, "dark")])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, path, modules, width, height, scheme):
    with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page, modules) == {}


def test_numbers_that_are_not_finite_and_steps_with_hostile_names(browser, tmp_path):
    net, x = loopcell.GRU(3, 4), torch.randn(6, 2, 3)
    x[3] = torch.nan
    found = gradient_flow(net, x)
    named = type(found)(**{**vars(found), "steps": ["<b>", "\x00", "</script>", "한", " ", "🙂"]})
    named.save(tmp_path / "flow.html")
    with opened(browser, tmp_path / "flow.html", width=390, height=844) as page:
        assert "no number any more" in page.locator("li").inner_text()
        page.locator(".chart >> nth=0").focus()
        page.keyboard.press("Home")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_arrays_and_the_table_have_the_norms(flow, tmp_path):
    flow.save(tmp_path / "flow.npz")
    flow.save(tmp_path / "flow.csv")
    with np.load(tmp_path / "flow.npz") as arrays:
        np.testing.assert_array_equal(arrays["1/0/h"], flow.untreated.layers[1].norms["h"])
        np.testing.assert_array_equal(arrays["chrono/1/0/h"], flow.layers[1].norms["h"])
        assert arrays["0/0/dynamics/singular_values"].shape == (32, 8)
    with (tmp_path / "flow.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * 2 * STEPS
    assert float(rows[3]["norm"]) == flow.untreated.layers[0].norms["h"][3]
    assert {row["treatment"] for row in rows} == {"", "chrono"}


def test_pictures(flow, tmp_path):
    with style():
        axes = flow.plot()
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), flow.untreated.layers[0].norms["h"])
    flow.save(tmp_path / "flow.svg")
    flow.save(tmp_path / "again.svg")
    assert (tmp_path / "flow.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    flow.save(tmp_path / "flow.png")
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_shows_the_page(flow):
    assert flow._repr_html_().startswith("<iframe srcdoc=")


def test_what_cannot_be_written_is_one_sentence(flow, tmp_path):
    with pytest.raises(InputError, match=r"flow.pdf: a gradient flow is saved as .html, .npz, .csv, .png, .svg"):
        flow.save(tmp_path / "flow.pdf")
    with pytest.raises(FileWriteError, match="folder does not exist"):
        flow.save(tmp_path / "none" / "flow.html")
