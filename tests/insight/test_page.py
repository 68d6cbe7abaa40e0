"""The page of an inspection, in a real browser."""

import re
import shutil
import subprocess
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.errors import FileWriteError, InputError
from loopcell.insight import Inspection, LayerView, Prediction, look_inside
from tests.browser import opened as opened_page, serious_violations

STEPS = 60
FRONT_END = Path(__file__).parents[2] / "frontend"


@pytest.fixture(scope="module")
def seen():
    torch.manual_seed(0)
    net = loopcell.Recurrent(cells.get("lstm"), 3, 16, num_layers=2, bidirectional=True)
    x = torch.randn(STEPS, 1, 3)
    tokens = [["a", " ", "</script><script>window.bad=1</script>", "한", "\n"][step % 5] for step in range(STEPS)]
    layers = list(look_inside(net, lambda: net(x)))
    broken = layers[0].quantities["c"].copy()
    broken[7, 3] = np.nan
    layers[0] = LayerView(layers[0].name, layers[0].cell, {**layers[0].quantities, "c": broken})
    return Inspection(
        title="A model <b>of two layers</b>",
        steps=tokens,
        layers=layers,
        traces={"signal": np.sin(np.arange(STEPS) / 3)},
        predictions=[[Prediction("yes", 0.75), Prediction("no", 0.25)]] * STEPS,
        predicted="so far",
        answer=[Prediction("yes", 0.75)],
        notes=["only a part is shown"],
    )


@pytest.fixture(scope="module")
def path(seen, tmp_path_factory):
    found = tmp_path_factory.mktemp("page") / "page.html"
    seen.save(found)
    return found


opened = partial(opened_page, wait=lambda page: page.wait_for_selector(".legend .bar"))


def point_at(page, step, row, rows=16):
    box = page.locator("canvas[tabindex]").bounding_box()
    place = box["x"] + (step + 0.5) * box["width"] / STEPS, box["y"] + (row + 0.5) * (box["height"] - 40) / rows
    page.mouse.move(*place)
    page.wait_for_timeout(60)
    return place


def read(page):
    """The table at the cursor, as a dictionary."""
    rows = page.locator(".readout tr").all_inner_texts()
    return dict(row.split("\t", 1) for row in rows if not row.startswith("\t"))


def test_the_numbers_under_the_cursor_are_those_of_the_model(browser, path, seen):
    with opened(browser, path) as page:
        page.wait_for_timeout(300)  # the other quantities of the layer are read meanwhile
        point_at(page, 17, 5)
        found = read(page)
        assert found["step"] == "17"
        assert found["unit"] == "5"
        assert found["token"] == "</script><s…"
        assert found["signal"] == f"{np.sin(17 / 3):.3f}"
        assert found["answer so far"] == "yes 75.0%"
        for name in ("i", "f", "g", "o", "c", "h"):
            value = seen.layers[0].quantities[name][17, 5]
            assert float(found[name]) == pytest.approx(value, abs=6e-4)
        point_at(page, 7, 3)
        assert read(page)["c"] == "not a number"
        assert page.evaluate("window.bad") is None


def test_units_are_picked_ordered_and_zoomed(browser, path, seen):
    with opened(browser, path) as page:
        x, y = point_at(page, 20, 2)
        page.mouse.click(x, y)
        assert page.locator(".picked").inner_text() == "i[2]"
        assert page.locator(".chart .uplot").count() == 3  # the trace, the overview and the unit
        page.select_option(".controls select >> nth=1", "slowness")
        page.wait_for_timeout(60)
        point_at(page, 20, 0)
        slowest = int(read(page)["unit"].split()[0])
        values = seen.layers[0].quantities["i"]
        constants = [np.corrcoef(values[:-1, unit], values[1:, unit])[0, 1] for unit in range(16)]
        assert slowest == int(np.argmax(constants))
        box = page.locator(".chart >> nth=0").locator(".u-over").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=5)
        page.mouse.up()
        page.wait_for_timeout(80)
        start, end = map(int, re.findall(r"\d+", page.locator(".range").inner_text())[:2])
        assert 13 <= start <= 16
        assert 28 <= end <= 31
        page.get_by_role("button", name="Show all").click()
        page.wait_for_timeout(80)
        assert page.locator(".range").inner_text() == f"steps 0 to {STEPS - 1} of {STEPS}"


def test_quantities_layers_language_theme_and_keys(browser, path):
    with opened(browser, path) as page:
        page.click(".equations mtr[data-value='f']")
        assert page.locator("[data-quantity='f']").get_attribute("aria-pressed") == "true"
        assert page.locator(".equations .lit").count() == 3  # the line that defines f, its name there, and its use
        page.select_option(".controls select >> nth=0", "3")
        assert page.locator(".controls select >> nth=0").input_value() == "3"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        page.wait_for_selector(".legend .bar")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        page.click("#language")
        page.wait_for_selector(".legend .bar")
        assert page.locator("h2 >> nth=0").inner_text() == "커서 위치의 값"
        assert page.evaluate("document.documentElement.lang") == "ko"
        page.locator("canvas[tabindex]").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        page.wait_for_timeout(60)
        assert read(page)["스텝"] == "2"
        assert page.locator(".picked").inner_text() == "f[1]"


@pytest.mark.parametrize(("width", "height"), [(1300, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, path, modules, width, height, scheme):
    with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
        point_at(page, 10, 3)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page, modules) == {}


def test_the_page_allows_nothing_from_outside(seen):
    page = seen.html()
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["']?https?:""", page)
    assert "<b>of two layers" not in page
    assert page.count("</script>") == page.count("<script")


def test_the_built_files_are_those_of_the_sources(modules, tmp_path):
    shutil.copytree(FRONT_END, tmp_path / "frontend", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "frontend" / "node_modules").symlink_to(modules)
    built = tmp_path / "src" / "loopcell" / "insight" / "page"
    built.mkdir(parents=True)
    subprocess.run(["node", "build.mjs"], cwd=tmp_path / "frontend", check=True, timeout=60)
    committed = FRONT_END.parent / "src" / "loopcell" / "insight" / "page"
    assert {file.name for file in built.iterdir()} == {file.name for file in committed.iterdir()}
    for file in committed.iterdir():
        assert (built / file.name).read_bytes() == file.read_bytes(), "npm run build --prefix frontend"
        assert file.stat().st_size <= 150_000, file


def test_more_than_a_page_can_hold_is_refused_with_what_fits():
    layer = LayerView("layer 0", cells.get("gru"), {"h": np.zeros((100, 300_000), np.float32)})
    with pytest.raises(InputError, match="80 steps fit"):
        Inspection("long", ["x"] * 100, [layer]).html()


def test_a_folder_that_is_not_there_is_one_sentence(seen, tmp_path):
    with pytest.raises(FileWriteError, match="folder does not exist"):
        seen.save(tmp_path / "none" / "page.html")


def test_hostile_labels_are_seen_and_nothing_is_wider_than_the_phone(browser, tmp_path):
    net = loopcell.GRU(2, 3)
    tokens = ["a\x00b", "\u202eabc", "👩\u200d👩", "x" * 10_000, "\n", "half \ud800", "👩" * 12, "👩" * 13]
    layers = list(look_inside(net, lambda: net(torch.randn(len(tokens), 1, 2))))
    layers.append(LayerView("nothing named", cells.get("gru"), {}))
    answer = [Prediction("L" * 10_000, 0.5)]
    traces = {"n" * 300: np.full(len(tokens), np.nan)}
    Inspection("t" * 500, tokens, layers, traces, answer=answer, notes=["n" * 500]).save(tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html", width=390, height=844, locale="ko-KR", scheme="dark") as page:
        page.locator("canvas[tabindex]").focus()
        found = []
        for _ in tokens:
            page.wait_for_timeout(60)
            page.keyboard.press("ArrowDown" if not found else "ArrowRight")
            page.wait_for_timeout(60)
            found.append(read(page)["토큰"])
        cut = "👩" * 11 + "…"
        assert found == ["a␀b", "�abc", "👩\u200d👩", "x" * 11 + "…", "⏎", "half␣�", "👩" * 12, cut]
        page.select_option(".controls select >> nth=1", "correlation")
        page.wait_for_timeout(60)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_step_and_numbers_that_are_not_finite(browser, tmp_path):
    values = np.array([[np.nan, 1.0, 5.0]], np.float32)
    layer = LayerView("layer 0", cells.get("gru"), {"h": values})
    Inspection("one", ["0"], [layer]).save(tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        page.select_option(".controls select >> nth=1", "activity")
        page.locator("canvas[tabindex]").focus()
        for key in ("+", "ArrowRight", "Enter", "-", "Escape", "ArrowUp"):
            page.keyboard.press(key)
        page.wait_for_timeout(60)
        assert read(page)["unit"] == "2 (score 5.000)"  # the one without a number does not spoil the order


def test_a_page_opens_where_there_is_no_idle_callback(browser, path):
    context = browser.new_context()
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script("delete window.requestIdleCallback")  # Safari has none
    page.goto(path.as_uri())
    page.wait_for_selector(".legend .bar")
    page.wait_for_timeout(100)
    context.close()
    assert complaints == []


def test_more_steps_than_a_canvas_is_wide_are_refused():
    layer = LayerView("layer 0", cells.get("gru"), {"h": np.zeros((40_000, 1), np.float32)})
    with pytest.raises(InputError, match="32,767 steps fit"):
        Inspection("long", ["x"] * 40_000, [layer]).html()


# --- what is written beside the pictures ------------------------------------------------------------------------------

WRITTEN = """
window.written = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const half = this.measureText(text).width / 2;
  window.written.push({ text, y: Math.round(y), left: x - half, right: x + half });
  return fill.call(this, text, x, y);
};
const width = Object.getOwnPropertyDescriptor(HTMLCanvasElement.prototype, "width");
Object.defineProperty(HTMLCanvasElement.prototype, "width", {
  ...width,
  set(value) { if (this.tabIndex === 0) window.written.length = 0; width.set.call(this, value); },
});
"""


def labels(browser, seen, folder, width):
    """The rows of labels that are written below the heat map, as texts; none of them touches another."""
    seen.save(folder / "labels.html")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.add_init_script(WRITTEN)
    page.goto((folder / "labels.html").as_uri())
    page.wait_for_function("window.written.length > 0")
    written = page.evaluate("window.written")
    page.close()
    rows = {}
    for one in written:
        rows.setdefault(one["y"], []).append(one)
    for row in rows.values():
        row.sort(key=lambda one: one["left"])
        assert all(one["right"] < after["left"] for one, after in pairwise(row))
    return [[one["text"] for one in rows[y]] for y in sorted(rows)]


def read_by_gru(steps, **others):
    net = loopcell.Recurrent(cells.get("gru"), 3, 8)
    layers = look_inside(net, lambda: net(torch.zeros(len(steps), 1, 3)))
    return Inspection(title="x", steps=steps, layers=layers, traces=others.pop("traces", {}), predictions=[], **others)


def test_labels_that_do_not_all_fit_have_the_number_of_their_step(browser, tmp_path):
    name = list("JULIET:\nO gentle Romeo, if thou dost love, pronounce it")
    (wide,) = labels(browser, read_by_gru(name, predicted="next"), tmp_path, 1300)
    assert "".join(wide) == "".join(name).replace(" ", "␣").replace("\n", "⏎")
    (narrow,) = labels(browser, read_by_gru(name, predicted="next"), tmp_path, 390)
    assert narrow[:2] == ["0 J", "5 T"]
    times = [f"2024-01-{day:02} {hour:02}:00" for day in range(1, 15) for hour in range(24)]
    times[::24] = [time[:10] for time in times[::24]]
    for width in (1300, 390):
        (row,) = labels(browser, read_by_gru(times, predicted="next"), tmp_path, width)
        assert row[0] == "2024-01-01"
        assert set(row) <= set(times)


@pytest.mark.parametrize("width", [1300, 390])
def test_scores_and_alarms_are_a_course_and_no_equation_is_cut(browser, tmp_path, width):
    scores, alarms = np.linspace(0, 3, 50), (np.arange(50) > 45).astype(float)
    traces = {"load": np.ones(50), "score": scores, "anomaly": alarms}
    read_by_gru([str(step) for step in range(50)], traces=traces, predicted="here").save(tmp_path / "alarms.html")
    with opened(browser, tmp_path / "alarms.html", width=width, locale="ko-KR") as page:
        assert page.locator(".caption select").input_value() == "score"
        assert page.locator(".beside span").all_inner_texts() == ["점수", "● 경보"]
        assert "유닛들의 |r| 평균" in page.locator("#overview").inner_text()
        page.wait_for_timeout(100)
        whole, seen = page.locator(".equations").evaluate("(place) => [place.scrollWidth, place.clientWidth]")
        assert whole <= seen
        page.select_option(".caption select", "load")
        assert page.locator(".beside span").all_inner_texts() == ["load"]
