"""`loopcell inspect` of every estimator and every kind of data: each is trained, and a row of its file looked into."""

from __future__ import annotations

import json
import re
import wave

import numpy as np
import pytest

from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 6, "--epochs", 1, "--device", "cpu", "--seed", 1]
DAYS = np.datetime64("2024-01-01") + np.arange(60)


def lines(path, *rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def looked(loopcell, tmp_path):
    """A function that trains on a file, looks into one of its rows, and gives the facts of the page."""

    def look(verb, file, *flags, row=2):
        run, page = tmp_path / verb, tmp_path / "page.html"
        result = loopcell("train", verb, file, *flags, *SMALL, "--run", run)
        assert result.exit_code == 0, result.output
        result = loopcell("inspect", run, "--data", file, "--row", row, "-o", page, "--no-open")
        assert result.exit_code == 0, result.output
        found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text("utf-8"))
        return json.loads(found.group(1))

    return look


def test_arrays_of_a_regressor(looked, tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 5, 2)).astype(np.float32)
    np.savez(tmp_path / "a.npz", values=values, target=values[:, 0, 0])
    facts = looked("regress", tmp_path / "a.npz", "--input", "values", "--label", "target", row=3)
    assert facts["steps"] == ["0", "1", "2", "3", "4"]
    assert facts["traces"]["x1"] == pytest.approx(values[2, :, 1].tolist(), rel=1e-5)


def test_steps_of_a_tagger(looked, tmp_path):
    rows = [f"{n // 4},{n % 4},{(n // 2) % 2}" for n in range(80)]
    table = lines(tmp_path / "steps.csv", "id,value,state", *rows)
    facts = looked("tag", table, "--by", "id", "--input", "value", "--label", "state")
    assert facts["traces"] == {"value": [0, 1, 2, 3]}
    assert (facts["predicted"], len(facts["predictions"])) == ("here", 4)


def test_sounds(looked, tmp_path):
    pytest.importorskip("soundfile")
    drawn = np.random.default_rng(0)
    for name, size in (("loud", 20_000), ("soft", 200)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(8):
            with wave.open(str(tmp_path / "sounds" / name / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((size * drawn.uniform(-1, 1, 1600)).astype("<i2").tobytes())
    facts = looked("classify", tmp_path / "sounds")
    assert len(facts["steps"]) > 10
    assert sorted(label for label, _ in facts["answer"]) == ["loud", "soft"]
    assert len(facts["traces"]) == 12  # of the log-mel bands


def test_images_and_captions_of_them(looked, tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    for number in range(16):
        name = "white" if number % 2 else "black"
        (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        place = f"images/{name}/{number}.png"
        image.fromarray(np.full((8, 6), 250 * (number % 2), np.uint8)).save(place)
    assert len(looked("classify", tmp_path / "images")["steps"]) == 8  # rows
    names = [f"images/{name}/{number}.png" for number in range(16) for name in [("black", "white")[number % 2]]]
    captions = lines(tmp_path / "captions.csv", "file,caption", *(f"{name},it is {name[7:12]}" for name in names))
    facts = looked("caption", captions, "--input", "file", "--target", "caption", "--attention", "general")
    assert facts["part"] == "decoder"
    assert facts["steps"][-1] == "■"
    assert facts["attention"]["source"] == ["0,0", "0,1", "1,0", "1,1"]


def test_translations_and_conversations(looked, tmp_path):
    pairs = lines(tmp_path / "pairs.csv", "de,en", *["ja,yes", "nein,no", "gut,good"] * 8)
    facts = looked("translate", pairs, "--input", "de", "--target", "en")
    (decoder,) = facts["others"]
    assert facts["steps"] == list("nein")
    assert (facts["part"], decoder["part"]) == ("encoder", "decoder")
    assert decoder["attention"]["source"] == list("nein")
    assert "".join(decoder["steps"]) == facts["answer"][0][0] + "■"
    facts = looked("chat", pairs, "--input", "de", "--target", "en", "--tokens", "word")
    assert facts["steps"] == ["nein"]


def test_a_text_of_a_language_model_in_a_file(loopcell, run, text, tmp_path):
    page = tmp_path / "page.html"
    result = loopcell("inspect", run, "--data", text, "--row", 2, "-o", page, "--no-open")
    assert result.exit_code == 0, result.output
    assert "the dog" in page.read_text(encoding="utf-8").replace('", "', "")


def test_series_and_which_of_them(looked, loopcell, tmp_path):
    rows = [
        f"{name},{day},{level + number % 7}" for name, level in (("a", 0), ("b", 90)) for number, day in enumerate(DAYS)
    ]
    table = lines(tmp_path / "t.csv", "id,day,y", *rows)
    columns = ["--time", "day", "--target", "y", "--series", "id", "--history", 8]
    facts = looked("forecast", table, *columns, "--horizon", 2)
    assert facts["steps"][:2] == ["2024-01-01", "2024-01-02"]
    assert facts["traces"]["y"][:3] == [90, 91, 92]
    assert facts["answer"][0][0].startswith("2024-03-01: y forecast ")
    wrong = loopcell(
        "inspect", tmp_path / "forecast", "--data", table, "--row", 3, "--no-open", "-o", tmp_path / "x.html"
    )
    assert "there are 2 series, and number 3 is asked for" in wrong.stderr
    wrong = loopcell("inspect", tmp_path / "forecast", "--text", "abc", "--no-open", "-o", tmp_path / "x.html")
    assert "a Forecaster reads tables of time series: give --data FILE" in " ".join(wrong.stderr.split())
    facts = looked("anomaly", table, *columns, row=1)
    assert list(facts["traces"]) == ["y", "score", "anomaly"]


def test_word_vectors_have_no_step(loopcell, tmp_path):
    text = lines(tmp_path / "t.txt", *["the cat sat on the mat", "the dog sat on the rug"] * 40)
    result = loopcell("train", "vectors", text, "--epochs", 1, "--seed", 1, "--min-count", 1, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    result = loopcell("inspect", tmp_path / "run", "--text", "cat", "--no-open", "-o", tmp_path / "x.html")
    assert result.exit_code == 2
    assert "word vectors have no recurrent layer to look into" in " ".join(result.stderr.split())
    assert not (tmp_path / "x.html").exists()
