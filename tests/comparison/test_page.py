"""The page of a comparison, in a real browser."""

import math
import re
from functools import partial
from pathlib import Path

import pytest

from loopcell import cells
from loopcell.comparison import CellCost, ComparedRun, Comparison
from loopcell.errors import FileWriteError
from tests.browser import opened as opened_page, serious_violations

NAMES = ("rnn", "gru", "lstm", "min_gru", "indrnn", "sru", "mgu")
START, DATA = "orthogonal, chrono", "drawn anew for each update; Le and Jaitly <b>2015</b>"
FRONT_END = Path(__file__).parents[2] / "frontend"


def run(name, seed, distance, score, metric="accuracy"):
    back = (distance or 10) + 3
    gradient = {"start": [0.5**step for step in range(back)], "end": [2.0 * 0.9**step for step in range(back)]}
    shape = {"input_size": 5, "num_layers": 1, "bidirectional": False, "steps": back, "batch": 32}
    solved = None if distance is None else score >= 0.95
    note = "the loss was no number any more at update 3" if math.isnan(score) else ""
    gradient |= {"end": []} if note else {}
    baselines = {"no memory": 0.25} if distance else {"mean": 0.9, "token between its neighbours": 0.8}
    return ComparedRun(
        name, seed, distance, metric, score, solved, 9, 1.0, 8, 99, START, shape, gradient, baselines, note
    )


def comparison(runs, job="recall", solved=0.95):
    names = list(dict.fromkeys(one.cell for one in runs))
    costs = [
        CellCost(name, 8, 100 + place, 0.1 * place + 0.1, 1.0, 10**6, 23, 32, 9) for place, name in enumerate(names)
    ]
    chosen = [cells.get(name) for name in names]
    return Comparison(job, DATA, "units", chosen, runs, costs, {"updates": 9}, solved)


@pytest.fixture(scope="module")
def found():
    scores = {10: (1.0, 0.96), 20: (0.5, 1.0), 80: (0.25, float("nan"))}
    far = [run("rnn", seed, d, score) for d, each in scores.items() for seed, score in enumerate(each, 1)]
    return comparison(far + [run(name, seed, d, 1.0) for name in NAMES[1:] for d in scores for seed in (1, 2)])


@pytest.fixture(scope="module")
def path(found, tmp_path_factory):
    written = tmp_path_factory.mktemp("page") / "page.html"
    found.save(written)
    return written


opened = partial(opened_page, width=1200, wait=lambda page: page.wait_for_selector(".chart svg"))


def row(page, table, cell):
    return (
        page.locator(f"table >> nth={table}")
        .locator("tr", has=page.locator(f"th:text-is('{cell}')"))
        .inner_text()
        .split("\t")
    )


def test_scores_costs_and_gradients_are_those_of_the_runs(browser, path):
    with opened(browser, path) as page:
        assert row(page, 0, "rnn") == [
            "rnn", "0.980 (0.960 – 1.000)", "0.750 (0.500 – 1.000)",
            "0.250 (0.250 – 0.250), 1 of 2 diverged", "10 to 20 steps, by seed",
        ]  # fmt: skip
        assert row(page, 0, "gru")[-1] == "80 steps"
        assert row(page, 1, "lstm") == ["lstm", "8", "1.000 ms", "0.300 ms", "1.000 MB", "102", "orthogonal, chrono"]
        titles = page.locator(".chart >> nth=0").locator("title").all_text_contents()
        assert "rnn 20: accuracy 0.750 (0.500 – 1.000), 1 of 2 solved" in titles
        assert page.locator(".note").inner_text() == (
            "rnn, seed 2, distance 80: the loss was no number any more at update 3"
        )
        chart = page.locator(".chart >> nth=-1")
        assert chart.locator("[data-series]").count() == len(NAMES)
        assert page.locator(".counted").inner_text().startswith("Seeds in the mean: rnn 1 of 2, gru 2 of 2, ")
        assert "Norm of the loss's gradient" in page.locator("main").inner_text()
        after = chart.locator("[data-series=gru] .line").get_attribute("d")
        assert after.count("L") == 80 + 2
        page.select_option(".controls select >> nth=1", "start")
        before = chart.locator("[data-series=gru] .line").get_attribute("d")
        assert 0 < before.count("L") < 40  # the rest is too small to have a place
        page.select_option(".controls select >> nth=0", "10")
        assert page.locator(".counted").inner_text().startswith("Seeds in the mean: rnn 2 of 2, ")
        assert chart.locator("[data-series=gru] .line").get_attribute("d").count("L") == 10 + 2
        assert page.locator("math").count() == len(NAMES)
        assert page.evaluate("document.body.innerHTML.includes('<b>2015')") is False


def test_language_and_theme(browser, path):
    with opened(browser, path) as page:
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        line = page.evaluate("getComputedStyle(document.querySelector('.line.s0')).stroke")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        assert page.evaluate("getComputedStyle(document.querySelector('.line.s0')).stroke") != line
        page.click("#language")
        assert page.evaluate("document.documentElement.lang") == "ko"
        assert page.locator("h2 >> nth=1").inner_text() == "비용"
        assert page.locator(".note").inner_text() == (
            "rnn, 시드 2, 거리 80: 업데이트 3에서 손실이 더 이상 수가 아니었습니다"
        )
        assert row(page, 1, "lstm")[-1] == "직교, 크로노"
        assert row(page, 0, "rnn")[3] == "0.250 (0.250 – 0.250), 2개 중 1개 발산"
        assert "업데이트마다 새로 뽑음; Le and Jaitly" in page.locator(".about >> nth=0").inner_text()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") in ("language", "theme")


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, path, modules, width, height, scheme):
    with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page, modules) == {}


def test_a_comparison_on_data_has_a_place_for_each_cell(browser, tmp_path):
    runs = [run(name, seed, None, 0.2 + 0.1 * seed, "MSE") for name in ("rnn", "gru") for seed in (1, 2)]
    comparison(runs, "sequence-regressor", None).save(tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        words = page.locator(".chart >> nth=0").locator("text").all_text_contents()
        assert {"rnn", "gru", "MSE", "mean"} <= set(words)
        assert row(page, 0, "gru") == ["gru", "0.350 (0.300 – 0.400)"]
        assert page.locator(".controls select").count() == 1


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_no_word_of_a_chart_is_cut_off(browser, tmp_path, width, locale):
    runs = [run(name, 1, None, 0.5, "MSE") for name in ("rnn", "lstm_projected")]
    comparison(runs, "sequence-regressor", None).save(tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html", width=width, locale=locale) as page:
        beyond = """[...document.querySelectorAll(".chart svg text")].filter((word) => {
            const [inner, outer] = [word.getBoundingClientRect(), word.closest("svg").getBoundingClientRect()];
            return inner.left < outer.left - 1 || inner.right > outer.right + 1;
        }).map((word) => word.textContent)"""
        assert page.evaluate(beyond) == []
        ours = "the last output" if locale == "en-GB" else "마지막 출력"
        assert ours in page.locator("main").inner_text().replace("each sequence's last", "the last")
        hints = page.locator(".hint >> nth=1")
        assert hints.is_visible() == (width == 390)  # the table of costs is wider than a phone


def test_no_series_is_told_apart_by_colour_alone():
    style = (FRONT_END / "src" / "compare.css").read_text(encoding="utf-8")
    dashes = [line.partition("stroke-dasharray")[2] for line in style.splitlines() if re.match(r"\.s\d ", line)]
    assert len(set(dashes)) == len(dashes) == 6


def test_a_folder_that_is_not_there_is_one_sentence(found, tmp_path):
    with pytest.raises(FileWriteError, match="folder does not exist"):
        found.save(tmp_path / "none" / "page.html")
