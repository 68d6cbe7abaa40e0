"""The page of a run in a real browser: one that ended well, one that diverged, one of an earlier version."""

import json
import re
import shutil

import numpy as np
import pytest

import loopcell
from loopcell.errors import FileFormatError, FileWriteError, InputError, TrainingError, UsageError
from loopcell.tasks import open_run
from loopcell.tasks.core.learning_curve import evened
from loopcell.tasks.core.run_page import MOST_POINTS, page_of
from loopcell.tasks.core.run_record import RunRecord, read_run
from loopcell.training.watched import LayerLook, Measure
from tests.browser import serious_violations
from tests.insight.pages import lines_of, opened

EARLIER = 8  # columns of metrics.csv that runs of before 0.1 have


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run of a small language model that was watched; not to be changed."""
    folder = tmp_path_factory.mktemp("run") / "speech"
    model = loopcell.LanguageModel(
        hidden_size=12, num_layers=2, updates=40, evaluate_every=10, batch_size=4, chunk=16, watch=10, clip=0.2,
        log_every=5, random_state=1,
    )  # fmt: skip
    model.fit("the cat sat on the mat. a dog ran to the sea. " * 60, run=folder)
    return folder


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """A run that diverges on purpose, and its error."""
    folder = tmp_path_factory.mktemp("wild") / "wild"
    drawn = np.random.default_rng(0)
    X = [drawn.normal(size=(12, 3)).astype(np.float32) for _ in range(64)]
    y = [int(x.sum() > 0) for x in X]
    model = loopcell.SequenceClassifier(cell="rnn_relu", hidden_size=8, learning_rate=1e6, clip=0, random_state=0)
    with pytest.raises(TrainingError) as caught:
        model.fit(X, y, run=folder)
    return folder, str(caught.value)


def saved(record, folder):
    path = folder / "run.html"
    record.save(path)
    return path


def test_the_record_has_what_the_folder_tells(run):
    record = open_run(run)
    assert (record.name, record.task, record.cell) == ("speech", "language-model", "lstm")
    assert record.curves["update"][-1] == 40
    assert {look.update for look in record.looks} == {0, 10, 20, 30, 40}
    assert record.missing == ()
    assert record.parameters["recurrent.l0"] == 4 * (12 * 12 + 12 * 12 + 12)
    assert record.settings["clip"] == 0.2
    assert record.files["model.safetensors"] == (run / "model.safetensors").stat().st_size
    assert len(record.samples[0]) >= 400
    assert repr(record) == "RunRecord(speech: language-model, 40 updates, 5 looks)"


def test_the_curves_and_the_layers_are_shown(browser, run, tmp_path):
    record = open_run(run)
    with opened(browser, saved(record, tmp_path)) as page:
        assert page.locator("h1").inner_text() == "Run speech"
        assert "language-model · lstm · 40 updates" in page.locator(".facts >> nth=0").inner_text()
        losses = lines_of(page, "Loss")
        assert f"training {evened(record.curves['update'], record.curves['train_loss'])[-1]:.3f}" in losses
        assert f"validation {record.curves['validation_loss'][-1]:.3f}" in losses
        assert f"{record.curves['clip_rate'][-1]:.3f}" in lines_of(page, "Share of updates that were clipped")
        last = {(one.layer, one.kind, one.name, one.back): one.value for one in record.looks[-1].measures}
        page.select_option(".controls select", "1")
        gates = lines_of(page, "Saturated gates")
        for gate in "ifgo":
            assert f"{gate} {last['recurrent, layer 1', 'saturated', gate, None]:.3f}" in gates
        page.locator("figure:has(figcaption:text-is('Gradient of the last output, back to c')) .chart").focus()
        page.keyboard.press("Home")
        back = lines_of(page, "Gradient of the last output, back to c")
        assert back.startswith("steps back 0 update 0 ")
        assert back.endswith(f"update 40 {last['recurrent, layer 1', 'gradient', 'c', 0]:.3f}")
        assert record.samples[0][:20] in page.locator("pre").inner_text()


def test_what_the_page_says_of_auto_of_short_rows_and_of_the_baseline(browser, wild, tmp_path):
    record = open_run(wild[0])
    assert record.settings["batch_size"] == "auto"
    assert record.used["batch_size"] == 4  # of 58 examples: 32, halved until a pass has 8 batches, at least 4
    curves = {"update": (100.0, 101.0, 200.0), "train_loss": (2.0, 8.0, 1.0)}
    scores = {"model": {"accuracy": 0.8}, "majority class": {"accuracy": 0.5}, "n-gram": {"accuracy": 0.85}}
    settings = {"batch_size": "auto", "clip": 1.0}
    record = RunRecord("a", "b", "c", settings, curves, scores=scores, scored="80 sequences", used={"batch_size": 8})
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page_of(record)).group(1))
    assert facts["curves"]["train_loss"] == [None, pytest.approx(208 / 101, rel=1e-6), 1.0]
    with opened(browser, saved(record, tmp_path)) as page:
        said = "The model is no better than its best baseline, n-gram: accuracy 0.8000 against 0.8500."
        assert said in page.locator(".note").all_inner_texts()
        assert "8 (auto)" in page.locator("section >> nth=-1").inner_text()
        page.click("#language")
        assert "시퀀스 80개" in page.locator(".facts").all_inner_texts()
        assert "기준선(n-gram)보다 낫지 않습니다" in " ".join(page.locator(".note").all_inner_texts())


def test_a_run_that_diverged_says_where_it_began(browser, wild, tmp_path):
    """Step, layer, quantity and unit, at the top of the page."""
    folder, sentence = wild
    record = open_run(folder)
    assert record.failure == sentence
    quantity = re.search(r"`(h\[\d+\])` is inf first at (step \d+ of 12 in layer 1, row \d+ of \d+)", sentence)
    with opened(browser, saved(record, tmp_path)) as page:
        alert = page.locator("[role=alert]")
        assert alert.locator("h2").inner_text() == f"Training could not go on after update {record.failed_at}"
        for part in quantity.groups():
            assert part in alert.inner_text()
        assert alert.bounding_box()["y"] < 200
        page.click("#language")
        assert "계속할 수 없었습니다" in page.locator("[role=alert] h2").inner_text()
        assert quantity[1] in page.locator("[role=alert]").inner_text()


@pytest.mark.parametrize(("width", "height", "scheme"), [(1300, 900, "light"), (390, 844, "dark")])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(browser, run, wild, modules, tmp_path, width, height, scheme):
    for folder in (run, wild[0]):
        path = saved(open_run(folder), tmp_path)
        with opened(browser, path, width=width, height=height, locale="ko-KR", scheme=scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert serious_violations(page, modules) == {}


def test_a_run_of_an_earlier_version_is_shown_and_says_what_it_lacks(browser, run, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(run, folder)
    lines = (folder / "metrics.csv").read_text().splitlines()
    (folder / "metrics.csv").write_text("".join(",".join(line.split(",")[:EARLIER]) + "\n" for line in lines))
    for name in ("watched.csv", "machine.json"):
        (folder / name).unlink()
    record = read_run(folder)
    assert record.missing == ("clip_rate", "saturated_gates", "dead_units", "gradient_slope")
    with opened(browser, saved(record, tmp_path)) as page:
        notes = " ".join(page.locator(".note").all_inner_texts())
        assert "not in it: clip_rate, saturated_gates, dead_units, gradient_slope" in notes
        assert "was not watched" in notes
        assert "did not keep the machine" in page.locator("main").inner_text()
        titles = page.locator("figcaption").all_inner_texts()
        assert titles == ["Loss", "Learning rate", "Gradient norm before clipping"]


def test_long_curves_tiny_gradients_and_hostile_names(browser, tmp_path):
    """Below 1e-16 a logarithmic axis of uPlot goes on for ever; more rows than a page shows are thinned out."""
    rows = 3 * MOST_POINTS
    curves = {"update": tuple(map(float, range(1, rows + 1))), "gradient_norm": (1e-300, 1.0) * (rows // 2)}
    curves |= {"train_loss": (float("nan"), float("inf"), 1.0) * (rows // 3), "validation_loss": (None,) * rows}
    name = "</script><b>한" + "x" * 300
    looks = [LayerLook(0, [Measure(name, "gradient", "h", 10.0 ** (-9 * back), back) for back in range(5)])]
    record = RunRecord(name, "task", "", {"clip": None, name: name}, curves, looks, failure=name)
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page_of(record)).group(1))
    assert MOST_POINTS <= len(facts["curves"]["update"]) <= MOST_POINTS + 1
    with opened(browser, saved(record, tmp_path), width=390, height=844) as page:
        assert page.locator("h1").inner_text() == f"Run {name}"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_damaged_rows_are_left_out(run, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(run, folder)
    for name in ("metrics.csv", "watched.csv"):
        with (folder / name).open("ab") as file:
            file.write(b"garbage\n\xff\xfe,1\n50,0,1,,\0")
    assert read_run(folder).curves == read_run(run).curves
    assert [look.update for look in read_run(folder).looks] == [0, 10, 20, 30, 40]
    (folder / "metrics.csv").write_text("nothing\n1,2\n")
    with pytest.raises(FileFormatError, match="does not name the columns"):
        read_run(folder)


def test_what_is_no_run_is_one_sentence(run, tmp_path):
    with pytest.raises(UsageError, match="there is no run folder"):
        open_run(tmp_path / "none")
    with pytest.raises(UsageError, match="is not the folder of a run"):
        open_run(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="has no row of metrics yet"):
        open_run(tmp_path)
    with pytest.raises(InputError, match=r"a run is saved as \.html"):
        read_run(run).save(tmp_path / "run.pdf")
    with pytest.raises(FileWriteError, match="folder does not exist"):
        read_run(run).save(tmp_path / "none" / "run.html")
